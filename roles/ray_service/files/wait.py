"""Waits for what a Ray pod needs, in words: the right version of Ray, Redis for a head, the head for a worker."""

from __future__ import annotations

import os
import socket
import sys
import time
from importlib import metadata

PAUSE = 1.0
SAY_EVERY = 5.0
TIMEOUT = 3.0


def say(text: str) -> None:
    """One line for the log."""
    print(f"ray: {text}", file=sys.stderr, flush=True)


def check_version(expected: str) -> None:
    """End if the image has another Ray than the RayService says; the operator treats versions differently."""
    if not expected:
        return
    try:
        found = metadata.version("ray")
    except metadata.PackageNotFoundError:
        found = "of no version"
    if found != expected:
        say(f"the image has Ray {found}, but ray_service_ray_version is {expected}: correct the variable or the image")
        sys.exit(1)


def endpoint(address: str) -> tuple[str, int]:
    """Host and port of redis:6379 or [::1]:6379."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def command(*words: str) -> bytes:
    """A command in Redis's protocol."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def redis_trouble(address: str, password: str) -> str:
    """Why Redis cannot be used; empty when it can."""
    try:
        with socket.create_connection(endpoint(address), TIMEOUT) as sock:
            if password:
                sock.sendall(command("AUTH", password))
                answer = sock.recv(512).decode("utf-8", "replace").strip()
                if not answer.startswith("+OK"):
                    return f"Redis at {address} refuses the password of its Secret: {answer or 'no answer'}"
            sock.sendall(command("PING"))
            answer = sock.recv(512).decode("utf-8", "replace").strip()
    except OSError as error:
        return f"Redis at {address} does not answer: {error}"
    except ValueError:
        return f"Redis at {address}: this is not of the form host:port; correct ray_service_redis_address"
    return "" if answer == "+PONG" else f"Redis at {address} is not ready: {answer or 'no answer'}"


def head_trouble(address: str) -> str:
    """Why the head cannot be reached; empty when it can."""
    try:
        with socket.create_connection(endpoint(address), TIMEOUT):
            return ""
    except OSError as error:
        return f"the head at {address} does not answer: {error}"


def trouble(environment: dict[str, str]) -> str:
    """What is missing for this pod; empty when nothing is."""
    if environment.get("FQ_RAY_IP"):
        return head_trouble(environment["RAY_ADDRESS"])
    if environment.get("RAY_REDIS_ADDRESS"):
        return redis_trouble(environment["RAY_REDIS_ADDRESS"], environment.get("REDIS_PASSWORD", ""))
    return ""


def main(environment: dict[str, str]) -> int:
    """Wait; with RAY_WAIT_SECONDS no longer than that."""
    check_version(environment.get("RAY_EXPECTED_VERSION", ""))
    limit = float(environment.get("RAY_WAIT_SECONDS") or "inf")
    started = time.monotonic()
    said = -SAY_EVERY
    while why := trouble(environment):
        waited = time.monotonic() - started
        if waited >= limit:
            say(why)
            return 1
        if waited - said >= SAY_EVERY:
            say(f"{why}; still waiting")
            said = waited
        time.sleep(PAUSE)
    return 0


if __name__ == "__main__":
    sys.exit(main(dict(os.environ)))
