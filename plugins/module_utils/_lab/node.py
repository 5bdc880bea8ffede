# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a lab node needs of the host besides processes: a shared mount, and what it leaves outside its own folders."""

from __future__ import annotations

import os
import socket
import typing as t
from contextlib import suppress
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import files

KUBELET_CONTROLLERS = ("cpu", "cpuset", "hugetlb", "memory", "pids")


class Mount(t.NamedTuple):
    """One line of mountinfo that matters here."""

    target: str
    shared: bool


def parse_mounts(mountinfo: str) -> list[Mount]:
    """Mounts in the order in which they were made; octal escapes of the kernel are undone."""
    mounts = []
    for line in mountinfo.splitlines():
        fields, _, _ = line.partition(" - ")
        words = fields.split()
        target = words[4].encode().decode("unicode_escape")
        mounts.append(Mount(target, any(word.startswith("shared:") for word in words[6:])))
    return mounts


def below(mounts: t.Iterable[Mount], folders: t.Sequence[str]) -> list[str]:
    """Targets at or below the folders, the newest first: the order in which they can be unmounted."""
    found = [m.target for m in mounts if any(m.target == f or m.target.startswith(f + "/") for f in folders)]
    return found[::-1]


def mentions(cmdline: bytes, folders: t.Sequence[str]) -> bool:
    """Whether a process was started with one of the folders in its arguments (a containerd shim, for example)."""
    arguments = cmdline.split(b"\0")
    return any(argument.startswith(folder.encode() + b"/") for argument in arguments for folder in folders)


def hand_down(parent: Path) -> None:
    """Let new cgroups below this one have what the kubelet asks for. Only the unified hierarchy wants to be told."""
    available = (files.read(str(parent / "cgroup.controllers")) or b"").decode().split()
    for name in (name for name in KUBELET_CONTROLLERS if name in available):
        # One that cannot be had keeps no other away: the kubelet names what it misses.
        with suppress(OSError):
            (parent / "cgroup.subtree_control").write_text(f"+{name}", encoding="ascii")


class Places(t.NamedTuple):
    """Folders of the host in which programs of a node put things, whatever folders they are told to use."""

    links: Path = Path("/var/log/containers")
    results: Path = Path("/var/lib/cni/results")
    containerd: Path = Path("/run/containerd")
    kubelet: Path = Path("/var/lib/kubelet")

    def parents(self) -> list[Path]:
        """Those that may go once they are empty, the deepest first."""
        deep = [self.containerd / "runc/k8s.io", self.containerd / "runc", self.containerd / "s"]
        return [self.links, self.results, self.results.parent, *deep, self.kubelet / "device-plugins", self.kubelet]


def traces(folders: t.Sequence[str], network: str, places: Places) -> list[Path]:
    """What a node has left outside its folders: links to logs, CNI results, shims' sockets, runc's state."""
    # The results of the loopback plug-in go first: those of the network tell which are the node's.
    found = [
        *_loopbacks(network, places.results),
        *places.results.glob(f"{network}-*"),
        *_links(folders, places.links),
        *_shims(folders, places.containerd),
    ]
    device = places.kubelet / "device-plugins/kubelet.sock"
    return [*dict.fromkeys(found), *([device] if _is_dead(device) else [])]


def _loopbacks(network: str, results: Path) -> list[Path]:
    sandboxes = [path.name.removeprefix(f"{network}-").rpartition("-")[0] for path in results.glob(f"{network}-*")]
    return [path for sandbox in sandboxes for path in results.glob(f"cni-loopback-{sandbox}-*")]


def _links(folders: t.Sequence[str], place: Path) -> list[Path]:
    links = [path for path in place.glob("*") if path.is_symlink()]
    return [path for path in links if os.readlink(path).startswith(tuple(f"{folder}/" for folder in folders))]


def _shims(folders: t.Sequence[str], containerd: Path) -> list[Path]:
    tasks = [task for folder in folders for task in Path(folder).glob("containerd/io.containerd.runtime.v2.task/*/*")]
    addresses = [task / "address" for task in tasks]
    sockets = [Path(path.read_text(encoding="ascii").removeprefix("unix://")) for path in addresses if path.exists()]
    states = [containerd / "runc" / task.parent.name / task.name for task in tasks]
    return [path for path in (*sockets, *states) if path.exists()]


def _is_dead(path: Path) -> bool:
    """Whether a socket is there on which nobody listens: kubelets of several nodes use the same one."""
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
