# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The storage layout of a cluster: what the components need, and the exports for it."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import (
    RefusedError,
    absolute_path,
    mode,
    relative_path,
    size,
)

FIELDS = {
    "service",
    "port",
    "secret",
    "uid",
    "gid",
    "folder",
    "mode",
    "subdir",
    "claim",
    "access_mode",
    "size",
    "quota",
    "options",
    "storage_class",
}
STORAGE_FIELDS = ("mode", "subdir", "claim", "access_mode", "size")
Row = dict[str, t.Any]
Layout = dict[str, Row]


def storage_layout(
    components: Layout,
    cluster: str,
    root: str,
    folder: str,
    server: str,
    override: Layout | None = None,
    mount_options: list[str] | None = None,
) -> Layout:
    """Complete the table of components for one cluster."""
    try:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", cluster):
            raise RefusedError(f"cluster_name: '{cluster}' is not a name; write at most 40 of a-z, 0-9 and '-'")
        base = f"{absolute_path(root, 'mlops_nfs_root')}/{relative_path(folder, 'mlops_nfs_folder')}"
        if not server:
            raise RefusedError("mlops_nfs_server: it is empty; name the storage server as the nodes see it")
        rows = _merged(components, override or {})
        common = {"server": server, "base": base, "mount_options": mount_options or []}
        return {name: _row(name, row, common) for name, row in rows.items()}
    except RefusedError as error:
        raise AnsibleFilterError(str(error)) from error


def _merged(components: Layout, override: Layout) -> Layout:
    for name, change in override.items():
        if name not in components:
            known = ", ".join(sorted(components))
            raise RefusedError(f"mlops_components_override: there is no component '{name}'; known are {known}")
        for field in sorted(set(change) - FIELDS):
            raise RefusedError(
                f"mlops_components_override.{name}: unknown field '{field}'; known are {', '.join(sorted(FIELDS))}"
            )
    return {name: {**row, **override.get(name, {})} for name, row in components.items()}


def _row(name: str, row: Row, common: Row) -> Row:
    field = f"mlops_components.{name}"
    for owner in ("uid", "gid"):
        if not isinstance(row.get(owner), int) or not 0 < row[owner] < 2**32 - 1:
            raise RefusedError(
                f"{field}.{owner}: '{row.get(owner)}' is not a number above 0; write the numeric {owner}"
            )
    if "port" in row and (not isinstance(row["port"], int) or not 0 < row["port"] < 2**16):
        raise RefusedError(f"{field}.port: '{row['port']}' is not a port; write a number from 1 to 65535")
    if not row.get("folder"):
        return dict(row)
    for needed in STORAGE_FIELDS:
        if not row.get(needed):
            raise RefusedError(f"{field}.{needed}: it is missing; a component with a folder needs it")
    mode(row["mode"], f"{field}.mode")
    if not size(row["size"], f"{field}.size"):
        raise RefusedError(f"{field}.size: '{row['size']}' is nothing; write a size such as 20Gi")
    quota = row.get("quota") or row["size"]
    size(quota, f"{field}.quota")
    share = f"{common['base']}/{relative_path(row['folder'], f'{field}.folder')}"
    return {
        **row,
        "quota": quota,
        "path": share,
        "share": share,
        "volume": f"{share}/{relative_path(row['subdir'], f'{field}.subdir')}",
        "storage_class": row.get("storage_class") or f"mlops-{name}",
        "server": common["server"],
        "mount_options": [*common["mount_options"], *row.get("options", [])],
    }


def nfs_exports(layout: Layout, root: str, clients: list[str], quota: bool = True, secure: bool = True) -> list[Row]:
    """The list that the module nfs_exports makes the storage server equal to."""
    try:
        top = absolute_path(root, "nfs_exports_root")
        paths = {name: _below(row["path"], top, name) for name, row in layout.items() if row.get("folder")}
    except RefusedError as error:
        raise AnsibleFilterError(str(error)) from error
    return [
        {
            "path": path,
            "owner": str(row["uid"]),
            "group": str(row["gid"]),
            "mode": row["mode"],
            "clients": list(clients),
            "squash": "all",
            "anonuid": row["uid"],
            "anongid": row["gid"],
            "secure": secure,
            "quota": row["quota"] if quota else "",
        }
        for name, path in paths.items()
        for row in [layout[name]]
    ]


def _below(path: str, root: str, name: str) -> str:
    if not path.startswith(root + "/"):
        raise RefusedError(
            f"nfs_exports_root: '{path}' of the component {name} does not lie below '{root}'; set mlops_nfs_root, and "
            "leave nfs_exports_root as it is"
        )
    return path[len(root) + 1 :]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "storage_layout": storage_layout,
            "nfs_exports": nfs_exports,
        }
