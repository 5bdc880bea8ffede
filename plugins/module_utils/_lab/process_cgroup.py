# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A cgroup of its own for a process: systemd in a container needs one, and whoever is in it can be found.

Of a single process only the hierarchies that name processes are touched (the unified one and name=systemd); limits stay
the caller's. A node has its cgroup in every hierarchy.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab.procfs import Identity, read_stat


def hierarchies(mounts: str, naming: bool = True) -> list[Path]:
    """Return where hierarchies are mounted, from the text of /proc/mounts: the naming ones, or all."""
    found: dict[str, Path] = {}
    for line in mounts.splitlines():
        _device, target, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and (not naming or "name=systemd" in options.split(","))):
            found.setdefault(kind if naming else target, Path(target))
    return list(found.values())


def folders(cgroup: str, naming: bool = True) -> list[Path]:
    """Return the folders of a cgroup, one in each naming hierarchy, or in every one."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    return [root / cgroup.lstrip("/") for root in hierarchies(mounts, naming)]


def join(cgroup: str) -> None:
    """Move the calling process into a cgroup; it is made when it is missing."""
    for folder in folders(cgroup):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def members(cgroup: str, naming: bool = True) -> list[Identity]:
    """Return all living processes in a cgroup and those below it."""
    found: set[Identity] = set()
    for folder in folders(cgroup, naming):
        for procs in folder.rglob("cgroup.procs"):
            with suppress(OSError):
                stats = (read_stat(int(pid)) for pid in procs.read_text(encoding="ascii").split())
                found.update(stat.identity for stat in stats if stat and stat.state != "Z")
    return sorted(found, key=lambda identity: identity.pid)


def remove(cgroup: str, naming: bool = True) -> None:
    """Remove a cgroup that holds no process any more, what is below it, and its parents when they are empty."""
    for folder in folders(cgroup, naming):
        for path, _folders, _files in os.walk(folder, topdown=False):
            with suppress(OSError):
                os.rmdir(path)
        for parent in folder.parents[: cgroup.strip("/").count("/")]:
            with suppress(OSError):
                parent.rmdir()
