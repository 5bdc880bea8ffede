# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs of the module against the servers of servers.py."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.mlops.platform.plugins.modules import nfs_exports

from .servers import Server

UID, GID = str(os.getuid()), str(os.getgid())
Result = dict[str, t.Any]


def export(path: str = "c/minio", **changes: t.Any) -> dict[str, t.Any]:
    base: dict[str, t.Any] = {"path": path, "owner": UID, "group": GID, "mode": "0700", "clients": ["10.0.0.0/24"]}
    base |= dict.fromkeys(("access", "anonuid", "anongid", "sync", "secure"))
    return {**base, "squash": "all", "options": [], "directories": [], "quota": "", **changes}


def everything(server: Server, root: Path) -> tuple[t.Any, ...]:
    """All that a run could change: files with their content, folders with their mode, exports in force."""
    files = {path.name: path.read_text() for path in server.folder.glob("**/*")} if server.folder.exists() else None
    staged = sorted(path.name for path in server.folder.parent.iterdir())
    folders = {str(path): path.stat().st_mode for path in sorted(root.glob("**/*"))}
    return files, staged, folders, server.in_force()


class Runner:
    """Runs the module and remembers its warnings."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self.root = root
        self.warnings: list[str] = []

    def __call__(self, *exports: dict[str, t.Any], check: bool = False, **changes: t.Any) -> Result:
        spec = nfs_exports.argument_spec()
        params = {name: option.get("default") for name, option in spec.items()}
        base = {"name": "prod01", "root": str(self.root), "environment": "prod", "identity": "https://a"}
        params |= {**base, "exports": list(exports) or None, "parent_mode": "0755", **changes}
        return nfs_exports.run(params, self.server.backend(), check, self.warnings.append)


CHANGED = (export(mode="0750", clients=["10.1.0.0/24"]), export("c/ray"), export("c/a/b"))
