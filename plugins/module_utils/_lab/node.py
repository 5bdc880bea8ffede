# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a lab node needs of the host besides processes: cgroups, a shared mount, and its removal."""

from __future__ import annotations

import os
import typing as t


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


def hierarchies(mountinfo: str) -> list[str]:
    """Mount points of the cgroup hierarchies. Beside v1 ones runc makes folders in the unified one as well."""
    lines = [line.partition(" - ") for line in mountinfo.splitlines()]
    return [fields.split()[4] for fields, _, rest in lines if rest.split()[0] in ("cgroup", "cgroup2")]


def cgroup_folders(root: str, cgroup: str) -> list[str]:
    """All folders of a cgroup in one hierarchy, the deepest first."""
    top = root + cgroup
    return [parent for parent, _folders, _files in os.walk(top, topdown=False)]


def mentions(cmdline: bytes, folders: t.Sequence[str]) -> bool:
    """Whether a process was started with one of the folders in its arguments (a containerd shim, for example)."""
    arguments = cmdline.split(b"\0")
    return any(argument.startswith(folder.encode() + b"/") for argument in arguments for folder in folders)
