# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""What is mounted where, as the kernel says."""

from __future__ import annotations

import re
import typing as t


class Filesystem(t.NamedTuple):
    """Where a path lies."""

    mount: str
    kind: str
    device: str
    quota: bool


def filesystem(path: str, mountinfo: str | None = None) -> Filesystem:
    """The file system of a path and whether it counts projects."""
    mountinfo = _mountinfo() if mountinfo is None else mountinfo
    best = Filesystem("", "unknown", "", False)
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount, (kind, device, options) = unescape(left.split()[4]), right.split()[:3]
        words = {*left.split()[5].split(","), *options.split(",")}
        if (path + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best.mount):
            counts = kind in ("xfs", "ext4") and bool(words & {"prjquota", "pquota"})
            best = Filesystem(mount, kind, device, counts)
    return best


def mount_points() -> list[str]:
    """Where something is mounted."""
    return [unescape(line.split()[4]) for line in _mountinfo().splitlines()]


def _mountinfo() -> str:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def unescape(text: str) -> str:
    """A path from mountinfo, where blanks are octal."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
