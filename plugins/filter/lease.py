# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a server under the wrapper that lets only one write to a data folder."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

SHORTEST = 9


def under_lease(command: t.Sequence[str], folder: str, seconds: int, stop_signal: str = "TERM") -> list[str]:
    """The command of a container, run by `lease`; with 0 seconds the command alone, for images without it."""
    if not int(seconds):
        return list(command)
    if int(seconds) < SHORTEST:
        raise AnsibleFilterError(f"lease_seconds: {seconds} is too short; give at least {SHORTEST}, or 0 for no lease")
    options = ["--dir", f"{folder}/.lease", "--seconds", str(int(seconds)), "--stop-signal", stop_signal]
    return ["lease", "run", *options, "--", *command]


def lease_environment(cluster: str, server: str = "") -> list[dict[str, t.Any]]:
    """The environment that tells the wrapper who it is."""
    fields = {
        "LEASE_NODE": "spec.nodeName",
        "LEASE_POD": "metadata.name",
        "LEASE_POD_UID": "metadata.uid",
    }
    given = [{"name": "LEASE_CLUSTER", "value": cluster}, {"name": "LEASE_SERVER", "value": server}]
    return given + [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"under_lease": under_lease, "lease_environment": lease_environment}
