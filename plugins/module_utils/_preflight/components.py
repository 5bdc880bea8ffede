# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the roles' variables say about images and resources; the roles speak one grammar (docs/role-grammar.md)."""

from __future__ import annotations

import typing as t

from .capacity import Demand, requested

Variables = t.Mapping[str, t.Any]
ENDINGS = ("_state", "_image", "_replicas", "_resources", "_workers", "_manage", "_resizer", "_external", "_metrics")


def interesting(role: str, names: t.Iterable[str]) -> list[str]:
    """The variables of a role that are read here."""
    return [name for name in names if name.startswith(f"{role}_") and name.endswith(ENDINGS)]


def wanted(role: str, values: Variables) -> bool:
    """Whether the role runs anything."""
    on = values.get(f"{role}_state", "present") == "present"
    return on and not values.get(f"{role}_external") and values.get(f"{role}_manage") is not False


def images(role: str, values: Variables) -> list[str]:
    """The images that the role's pods run."""
    if not wanted(role, values):
        return []
    left_out = {f"{role}_resizer_image"} if values.get(f"{role}_resizer") is False else set()
    if not (values.get(f"{role}_metrics") or {}).get("enabled"):
        left_out.add(f"{role}_metrics_image")
    return [value for name, value in values.items() if name.endswith("_image") and value and name not in left_out]


def demands(role: str, values: Variables, nodes: int) -> list[Demand]:
    """The pods of the role; a driver has one on each node."""
    resources = values.get(f"{role}_resources")
    if not wanted(role, values) or not resources:
        return []
    pods = int(values.get(f"{role}_replicas") or 1) + (nodes if f"{role}_manage" in values else 0)
    found = [Demand(role, requested(resources), pods)]
    groups = values.get(f"{role}_workers")
    for group in groups if isinstance(groups, list) else []:
        found.append(
            Demand(f"{role} {group['name']}", requested(group.get("resources")), int(group.get("replicas") or 1))
        )
    return found
