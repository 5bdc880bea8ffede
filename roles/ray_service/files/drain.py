"""Runs before a worker is stopped: Serve hands its replicas over while requests are still answered."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

# Until every node's kube-proxy has taken the pod out of the Service.
LEAST = 5.0
# Without a head nobody hands replicas over; the pods of a whole cluster end then, and another one has taken over.
WITHOUT_HEAD = 10.0
RPC_TIMEOUT = 5.0
REPLICA = b"ray::ServeReplica:"


def ask_for_drain(address: str, seconds: float) -> bool:
    """Tell the head that this node will be gone; whether it took notice."""
    try:
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2
        from ray.exceptions import RayError
    except ImportError as error:
        return not_asked(error)
    try:
        own = socket.gethostbyname(socket.gethostname())
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        client = GcsClient(address=address)
        for node, info in client.get_all_node_info(timeout=RPC_TIMEOUT).items():
            if info.node_manager_address == own and info.state == 0:
                deadline = time.time_ns() // 1_000_000 + int(seconds * 1000)
                return bool(client.drain_node(node.hex(), reason, "the pod ends", deadline)[0])
    except (RayError, OSError, ValueError, AttributeError, TypeError) as error:
        return not_asked(error)
    return False


def not_asked(error: Exception) -> bool:
    """Say why; another version of Ray may have other internals, and the pod ends all the same."""
    print(f"drain: {error}", file=sys.stderr)
    return False


def head_answers(address: str) -> bool:
    """Whether there is somebody to ask."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), 1):
            return True
    except OSError:
        return False


def replicas() -> int:
    """How many replicas of Serve run in this pod."""
    found = 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += entry.read_bytes().startswith(REPLICA)
        except OSError:
            continue
    return found


def main() -> int:
    """Ask, then wait until the replicas are gone."""
    started = time.monotonic()
    address, limit = os.environ["RAY_ADDRESS"], float(os.environ.get("RAY_DRAIN_SECONDS") or 30)
    drains = head_answers(address) and ask_for_drain(address, limit)
    longest = limit if drains else min(WITHOUT_HEAD, limit)
    while (waited := time.monotonic() - started) < longest:
        if drains and waited >= LEAST and not replicas():
            break
        time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
