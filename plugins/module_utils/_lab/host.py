# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a machine has to offer to hold a lab: facts in, problems out."""

from __future__ import annotations

import typing as t

SUPPORTED = {"debian": {"12", "13"}}
GIB = 1 << 30


class Facts(t.NamedTuple):
    """What the machine has; sizes in bytes, ``devices`` those of the wanted ones that exist."""

    uid: int
    machine: str
    distribution: str
    release: str
    memory: int
    free_disk: int
    devices: frozenset[str]


class Needs(t.NamedTuple):
    """What the lab needs; sizes in bytes."""

    memory: int
    disk: int
    disk_path: str
    devices: tuple[str, ...] = ("/dev/fuse",)


def problems(facts: Facts, needs: Needs) -> list[str]:
    """One sentence a problem, each with the remedy; empty where the machine is fit."""
    found = []
    if facts.uid != 0:
        found.append("the lab makes network namespaces and mounts: run it as root (sudo make up)")
    if facts.machine != "x86_64":
        found.append(f"this machine is {facts.machine}: the lab is built for x86_64 only")
    if facts.release not in SUPPORTED.get(facts.distribution, ()):
        found.append(f"{facts.distribution} {facts.release} is not supported: use Debian 12 or 13")
    if facts.memory < needs.memory:
        found.append(f"{facts.memory / GIB:.1f} GiB of memory: the lab needs {needs.memory / GIB:.0f} GiB")
    if facts.free_disk < needs.disk:
        found.append(
            f"{facts.free_disk / GIB:.1f} GiB free below {needs.disk_path}: the lab needs {needs.disk / GIB:.0f} GiB; "
            "make space or mount a larger disk there"
        )
    found += [
        f"{device} is missing: load or enable it in the kernel"
        for device in needs.devices
        if device not in facts.devices
    ]
    return found


def os_release(text: str) -> tuple[str, str]:
    """Distribution and release of an os-release file."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key: value.strip('"') for key, value in pairs}
    return values.get("ID", "unknown"), values.get("VERSION_ID", "unknown")
