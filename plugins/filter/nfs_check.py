# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The check of volumes: static volumes for its pods, and the verdict."""

from __future__ import annotations

import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._nfs import verdict
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import size

Row = t.Mapping[str, t.Any]


def nfs_check_verdict(
    reports: t.Mapping[str, t.Any],
    layout: t.Mapping[str, Row],
    owners: t.Sequence[str],
    folder: str,
    fsync_warn_ms: float = 50,
    fsync_fail_ms: float = 2000,
    free_fail: str = "1Gi",
) -> list[dict[str, str]]:
    """A verdict for each component. Owners are lines of 'uid:gid path', as stat prints them on the server."""
    seen = {path: owner for owner, _, path in (line.partition(" ") for line in owners)}
    limits = verdict.Limits(float(fsync_warn_ms), float(fsync_fail_ms), size(free_fail, "nfs_check_free_fail"))
    files = {name: f"{layout[name]['path']}/{folder}/owner" for name in reports}
    judged = [verdict.judge(name, layout[name], reports[name], seen.get(files[name], ""), limits) for name in reports]
    return [{**one._asdict(), "line": one.line} for one in judged]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"nfs_check_verdict": nfs_check_verdict}
