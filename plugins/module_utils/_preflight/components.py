# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the roles' variables say about images and resources; the roles speak one grammar (docs/role-grammar.md)."""

from __future__ import annotations

import typing as t

from .._kube.errors import KubeError
from .amount import Amount, amount, requested
from .capacity import Demand

Variables = t.Mapping[str, t.Any]
ENDINGS = (
    *("_state", "_image", "_replicas", "_resources", "_workers", "_manage", "_resizer", "_external"),
    *("_metrics", "_tls", "_node_selector", "_tolerations"),
)
EVERYWHERE = ({"operator": "Exists"},)
# What the templates give to the containers beside the main one, where metrics are wanted.
EXPORTERS = {
    "postgresql": {"cpu": "10m", "memory": "32Mi"},
    "redis": {"cpu": "10m", "memory": "32Mi"},
    "mlflow": {"cpu": "10m", "memory": "48Mi"},
}
# The driver's containers, each of which has the same resources; a resizer comes to the controller's.
CONTROLLER_CONTAINERS, NODE_CONTAINERS = 3, 3


def interesting(role: str, names: t.Iterable[str]) -> list[str]:
    """The variables of a role that are read here."""
    return [name for name in names if name.startswith(f"{role}_") and name.endswith(ENDINGS)]


def wanted(role: str, values: Variables) -> bool:
    """Whether the role runs anything."""
    on = values.get(f"{role}_state", "present") == "present"
    return on and not values.get(f"{role}_external") and values.get(f"{role}_manage") is not False


def certified(role: str, values: Variables) -> bool:
    """Whether cert-manager shall make the role's certificate."""
    return wanted(role, values) and bool((values.get(f"{role}_tls") or {}).get("issuer"))


def images(role: str, values: Variables) -> list[str]:
    """The images that the role's pods run."""
    if not wanted(role, values):
        return []
    left_out = {f"{role}_resizer_image"} if values.get(f"{role}_resizer") is False else set()
    if not (values.get(f"{role}_metrics") or {}).get("enabled"):
        left_out.add(f"{role}_metrics_image")
    return [value for name, value in values.items() if name.endswith("_image") and value and name not in left_out]


def demands(role: str, values: Variables, nodes: int) -> list[Demand]:
    """The pods of the role; a driver has one on each node. KubeError for what is no number."""
    if not wanted(role, values) or not values.get(f"{role}_resources"):
        return []
    each = resources(f"{role}_resources", values[f"{role}_resources"])
    placement = (values.get(f"{role}_node_selector") or {}, values.get(f"{role}_tolerations") or ())
    if f"{role}_manage" in values:
        controller = (
            values.get(f"{role}_controller_node_selector") or {},
            values.get(f"{role}_controller_tolerations") or (),
        )
        sidecars = CONTROLLER_CONTAINERS + (values.get(f"{role}_resizer") is not False)
        node = Demand(f"{role} on each node", Amount().plus(each, NODE_CONTAINERS), nodes, {}, EVERYWHERE)
        pods = number(f"{role}_replicas", values.get(f"{role}_replicas"))
        return [Demand(role, Amount().plus(each, sidecars), pods, *controller), node]
    each = each.plus(exporter(role, values))
    found = [Demand(role, each, number(f"{role}_replicas", values.get(f"{role}_replicas")), *placement)]
    groups = values.get(f"{role}_workers")
    # The workers of MLflow are processes: a number.
    return found + [of_group(role, group) for group in (groups if isinstance(groups, list) else [])]


def exporter(role: str, values: Variables) -> Amount:
    """What the container beside the role's main one requests."""
    wanted_too = (values.get(f"{role}_metrics") or {}).get("enabled")
    return amount(EXPORTERS.get(role) if wanted_too else None)


def of_group(role: str, group: Variables) -> Demand:
    """A group of workers."""
    name = f"{role}_workers.{group.get('name', '')}"
    each = resources(f"{name}.resources", group.get("resources"))
    gpus = number(f"{name}.gpus", group.get("gpus"), 0)
    if gpus:
        each = each.plus(requested({"limits": {group.get("gpu_resource") or "nvidia.com/gpu": gpus}}))
    pods = number(f"{name}.replicas", group.get("replicas"))
    return Demand(name, each, pods, group.get("node_selector") or {}, group.get("tolerations") or ())


def resources(name: str, value: t.Any) -> Amount:
    """What a container requests by a variable; KubeError names the variable."""
    try:
        return requested(value)
    except KubeError as error:
        raise KubeError(f"{name}: {error}") from error


def number(name: str, value: t.Any, default: int = 1) -> int:
    """The number of something; KubeError names the variable."""
    if value is None:
        return default
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise KubeError(f"{name}: {value!r} is no number; write how many") from error
