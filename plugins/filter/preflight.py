# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role preflight found besides the cluster, in the form of cluster_preflight's checks."""

from __future__ import annotations

import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._preflight import verdict

Row = t.Mapping[str, t.Any]


def preflight_storage(look: Row, host: str, root: str) -> dict[str, str]:
    """The check of the storage server, from the result of the task that looked at it."""
    said = " ".join(str(look.get(name) or "").strip() for name in ("stdout", "stderr", "msg")).strip()
    return verdict.storage(host, root, None if look.get("unreachable") else int(look["rc"]), said)._asdict()


def preflight_volumes(verdicts: t.Iterable[Row]) -> list[dict[str, str]]:
    """A check for each component, from the verdicts of the role nfs_check."""
    return [
        {"check": f"volume {one['component']}", "status": one["status"], "message": one["text"]} for one in verdicts
    ]


def preflight_lines(checks: t.Iterable[Row]) -> list[str]:
    """The checks as lines of text."""
    return [verdict.Verdict(**one).line for one in checks]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "preflight_lines": preflight_lines,
            "preflight_storage": preflight_storage,
            "preflight_volumes": preflight_volumes,
        }
