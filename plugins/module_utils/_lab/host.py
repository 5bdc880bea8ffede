# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a machine has to offer to hold a lab: facts in, problems out."""

from __future__ import annotations

import ipaddress
import typing as t

SUPPORTED = {"debian": {"12", "13"}}
GIB = 1 << 30
# The state of a socket in /proc/net/tcp.
LISTEN = "0A"
ANY = (str(ipaddress.IPv4Address(0)), str(ipaddress.IPv6Address(0)))


class Disk(t.NamedTuple):
    """Space that is needed below a folder, in bytes; ``device`` and ``free`` tell what its file system has."""

    path: str
    size: int
    device: int
    free: int


class Facts(t.NamedTuple):
    """What the machine has; sizes in bytes. ``taken``: who has the wanted port already."""

    uid: int
    machine: str
    distribution: str
    release: str
    memory: int
    nfs_client: bool
    disks: tuple[Disk, ...] = ()
    taken: str | None = None


def disk_problems(disks: t.Sequence[Disk]) -> list[str]:
    """One sentence for each file system that has too little space for all that goes to it."""
    found = []
    for device in dict.fromkeys(disk.device for disk in disks):
        here = [disk for disk in disks if disk.device == device]
        need, free = sum(disk.size for disk in here), here[0].free
        if free < need:
            found.append(
                f"{free / GIB:.1f} GiB free below {' and '.join(disk.path for disk in here)}: a new lab needs "
                f"{need / GIB:.0f} GiB there; make space, mount a larger disk, or name another folder by LAB_CACHE"
            )
    return found


def usable(memory: int, limits: t.Iterable[str]) -> int:
    """What the machine has, or less where a container may use less; limits as the kernel's cgroups tell them."""
    return min([memory, *(int(text) for text in limits if text.strip().isdigit())])


def problems(facts: Facts, memory: int) -> list[str]:
    """One sentence a problem, each with the remedy; empty where the machine is fit."""
    found = []
    if facts.uid != 0:
        found.append("the lab makes network namespaces and mounts: run it as root (sudo make up)")
    if facts.machine != "x86_64":
        found.append(f"this machine is {facts.machine}: the lab is built for x86_64 only")
    if facts.release not in SUPPORTED.get(facts.distribution, ()):
        found.append(f"{facts.distribution} {facts.release} is not supported: use Debian 12 or 13")
    if facts.memory < memory:
        found.append(f"{facts.memory / GIB:.1f} GiB of memory: the lab needs {memory / GIB:.0f} GiB")
    found += disk_problems(facts.disks)
    if facts.taken:
        found.append(
            f"another program listens on {facts.taken}, the port of the lab's registry: stop it (ss -lptn tells which)"
        )
    if not facts.nfs_client:
        found.append(
            "neither /dev/fuse nor the kernel's NFS client is there: load one (modprobe fuse, or modprobe nfsv4)"
        )
    return found


def listeners(table: str) -> set[tuple[str, int]]:
    """The (address, port) pairs on which something listens, of /proc/net/tcp or tcp6. Any address is 0.0.0.0 or ::."""
    found = set()
    for line in table.splitlines()[1:]:
        words = line.split()
        address, port = words[1].split(":")
        if words[3] == LISTEN:
            found.add((_address(address), int(port, 16)))
    return found


def _address(digits: str) -> str:
    words = [int(digits[start : start + 8], 16).to_bytes(4, "little") for start in range(0, len(digits), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def taken(wanted: str, found: t.Container[tuple[str, int]]) -> str | None:
    """Where somebody listens already who would get the connections to ADDRESS:PORT, or keep us from listening there."""
    address, _colon, port = wanted.rpartition(":")
    places = ((place, int(port)) for place in (address, *ANY))
    return next((f"{place}:{number}" for place, number in places if (place, number) in found), None)


def os_release(text: str) -> tuple[str, str]:
    """Distribution and release of an os-release file."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key: value.strip('"') for key, value in pairs}
    return values.get("ID", "unknown"), values.get("VERSION_ID", "unknown")
