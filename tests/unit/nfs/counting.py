# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file system that counts projects: its attributes and limits are in memory, its folders are real."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._nfs import quota


class Counting:
    """The project of each inode, and the limit of each project."""

    def __init__(self) -> None:
        self.projects: dict[int, tuple[t.Any, ...]] = {}
        self.limits: dict[int, int] = {}

    def attributes(self, fd: int) -> tuple[t.Any, ...]:
        return self.projects.get(os.fstat(fd).st_ino, (0, 0, 0, 0, 0, b""))

    def set_attributes(self, fd: int, values: tuple[t.Any, ...]) -> None:
        self.projects[os.fstat(fd).st_ino] = values

    def usage(self, device: str, project: int) -> quota.Usage:
        return quota.Usage(self.limits.get(project, 0), 0)

    def set_limit(self, device: str, project: int, limit: int) -> None:
        self.limits[project] = limit

    def project(self, path: Path) -> int:
        """Whose limit a file counts to."""
        found = self.projects.get(path.stat().st_ino)
        return t.cast("int", found[3]) if found else 0
