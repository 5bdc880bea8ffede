# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a RayService object says about its applications."""

from __future__ import annotations

import re
import typing as t

Object = dict[str, t.Any]
RUNNING, DEPLOY_FAILED = "RUNNING", "DEPLOY_FAILED"
MESSAGE_LINES = 15
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class State(t.NamedTuple):
    """How one application does; the message is its own error, where it has one."""

    status: str
    message: str = ""


NONE = State("")


def generation(service: Object) -> int:
    """The number of the newest form of the object's spec."""
    return int(service["metadata"].get("generation") or 0)


def observed(service: Object) -> int:
    """The newest generation that the operator has worked on."""
    return int((service.get("status") or {}).get("observedGeneration") or 0)


def states(service: Object) -> dict[str, State]:
    """The applications of the cluster that serves, by name. Empty while its head is not there, or an upgrade runs."""
    active = (service.get("status") or {}).get("activeServiceStatus") or {}
    found = active.get("applicationStatuses") or {}
    return {name: State(item.get("status") or "", _message(item)) for name, item in found.items()}


def is_upgrading(service: Object) -> bool:
    """Whether a new cluster is on its way to take over; until then the old one's applications cannot be changed."""
    status = service.get("status") or {}
    return all(
        (status.get(part) or {}).get("rayClusterName") for part in ("activeServiceStatus", "pendingServiceStatus")
    )


def workers(service: Object) -> int:
    """How many worker pods the service shall have."""
    groups = ((service.get("spec") or {}).get("rayClusterConfig") or {}).get("workerGroupSpecs") or []
    return sum(int(group.get("replicas") or 0) for group in groups)


def _message(item: t.Mapping[str, t.Any]) -> str:
    """What the application says, and what those of its deployments say that are not well."""
    deployments = item.get("serveDeploymentStatuses") or {}
    texts = [item.get("message") or ""]
    texts += [
        f"{name}: {found.get('message')}"
        for name, found in deployments.items()
        if found.get("message") and found.get("status") != "HEALTHY"
    ]
    return shortened("\n".join(dict.fromkeys(text.strip() for text in texts if text.strip())))


def shortened(text: str) -> str:
    """The end of a long text: a traceback says at its end what happened."""
    text = COLOUR.sub("", text)
    lines = text.splitlines()
    return text if len(lines) <= MESSAGE_LINES else "\n".join(["...", *lines[-MESSAGE_LINES:]])
