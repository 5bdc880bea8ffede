# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role nfs_server has to do on a machine."""

from __future__ import annotations

import hashlib
import typing as t


def nfs_server_differences(
    found: t.Mapping[str, t.Any],
    kind: str,
    folders: t.Mapping[str, str],
    configuration: t.Mapping[str, str],
    rpcbind: bool,
    check: bool,
    packages: t.Sequence[str] = (),
) -> list[str]:
    """What is not as wanted. Folders are path: mode, the configuration is path: text; all of it belongs to root.

    NFSv3 has services that ``found``, of nfs_server_info, does not tell of, and neither does it of packages by their
    names: with rpcbind, or with packages, there is always a difference.
    """
    services = {
        "packages": bool(packages),
        f"{kind} is not installed": kind not in found["installed"],
        f"{kind} does not run": kind not in found["running"],
        f"{kind} does not start with the machine": kind not in found["enabled"],
        "rpcbind": rpcbind or found["rpcbind"] != "masked",
        "the check cannot be read through the server": check and not found["answers"],
    }
    wanted = {path: {"mode": mode, "directory": True} for path, mode in folders.items()}
    wanted |= {
        path: {"mode": "0644", "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for path, text in configuration.items()
    }
    places = [path for path, place in wanted.items() if not is_so(found["paths"].get(path), place)]
    return [*places, *(what for what, differs in services.items() if differs)]


def is_so(found: t.Mapping[str, t.Any] | None, wanted: t.Mapping[str, t.Any]) -> bool:
    """Whether a path is root's and as wanted."""
    return found is not None and {"uid": 0, "gid": 0, **wanted}.items() <= dict(found).items()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"nfs_server_differences": nfs_server_differences}
