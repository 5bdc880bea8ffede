"""Runs of `make lab` and `make down`, their end in the middle, and what they leave on the machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import typing as t
from contextlib import suppress
from pathlib import Path

from e2e.cluster import ROOT

from ansible_collections.mlops.platform.plugins.module_utils._lab import node, process_cgroup
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import MARK
from ansible_collections.mlops.platform.plugins.modules import lab_node

# Folders that programs of the lab share with other instances and other programs of the machine.
SHARED = (
    "/run/containerd/s",
    "/run/containerd/runc",
    "/run/mlops-lab",
    "/run/netns",
    "/run/systemd/nspawn/propagate",
    "/run/systemd/nspawn/unix-export",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/lib/mlops-lab",
    "/var/log/containers",
    "/var/log/pods",
)


def lab_environment(name: str, clusters: str) -> dict[str, str]:
    return {**os.environ, "LAB_NAME": name, "LAB_CLUSTERS": clusters}


def make_lab(action: str, name: str, clusters: str, checkout: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run lab/bin/lab for an instance."""
    return subprocess.run(
        ["lab/bin/lab", action],
        cwd=checkout,
        env=lab_environment(name, clusters),
        capture_output=True,
        text=True,
        check=False,
    )


def start_lab(name: str, clusters: str) -> subprocess.Popen[bytes]:
    """Start a run that is to be killed."""
    environment = lab_environment(name, clusters)
    return subprocess.Popen(["lab/bin/lab", "up"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def wait_until(happened: t.Callable[[], bool], run: subprocess.Popen[bytes], timeout: float = 300) -> None:
    """Wait for a moment of a run."""
    end = time.monotonic() + timeout
    while not happened():
        assert time.monotonic() < end, "make lab did not come to that"
        assert run.poll() is None, "make lab ended before it could be killed"
        time.sleep(0.005)


def children(pids: t.Container[int]) -> list[int]:
    """Processes of make lab itself whose parent is one of these: those that are to outlive it have a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            if parent in pids and f"{MARK}=".encode() not in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def send(pids: t.Iterable[int], number: int) -> None:
    """Send a signal to those that still live."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_tree(run: subprocess.Popen[bytes]) -> int:
    """Kill a run with all its workers, whatever sessions they are in. Returns how many processes that were."""
    tree = [run.pid]
    send(tree, signal.SIGSTOP)
    # A stopped process starts no others: when there are no more children, the tree is whole.
    while more := [pid for pid in children(tree) if pid not in tree]:
        send(more, signal.SIGSTOP)
        tree += more
    send(tree, signal.SIGKILL)
    run.wait()
    return len(tree)


def answers(address: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def of_nodes() -> set[str]:
    """What the nodes that are there have on the machine just now: their pods come and go."""
    found = set()
    for folder in Path("/run/mlops-lab").glob("*/*"):
        folders = [str(folder), f"/var/lib{str(folder).removeprefix('/run')}"]
        traces = node.traces(folders, f"{folder.parent.name}-{folder.name}", node.Places())
        mounts = node.below(node.parse_mounts(lab_node.mountinfo()), folders)
        found |= {str(path) for path in traces} | {f"mount {target}" for target in mounts}
    return found


def snapshot() -> set[str]:
    """Links, namespaces, nftables tables, mounts, cgroups and files of the machine that a lab could leave behind."""
    found = {f"link {line.split()[0].split('@')[0]}" for line in lines("ip", "-brief", "link")}
    found |= {f"namespace {line.split()[0]}" for line in lines("ip", "netns", "list")}
    found |= set(lines("nft", "list", "tables"))
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    found |= {f"mount {line.split()[4]}" for line in mounts}
    for root in process_cgroup.folders("/", naming=False):
        found |= {f"cgroup {path}" for path in root.iterdir() if path.is_dir()}
    for top in SHARED:
        found |= {
            str(path) for path in (Path(top), *Path(top).glob("*"), *Path(top).glob("*/*")) if os.path.lexists(path)
        }
    return found - of_nodes()
