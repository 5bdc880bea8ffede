# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether what the components request fits into what the nodes have left."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from .._kube.quantity import value_of
from .verdict import Object, Verdict

KINDS = ("cpu", "memory")
GIB = Decimal(1 << 30)


class Amount(t.NamedTuple):
    """Cores and bytes."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)

    def plus(self, other: Amount, times: int = 1) -> Amount:
        """This and the other one, several times."""
        return Amount(self.cpu + other.cpu * times, self.memory + other.memory * times)

    def fits(self, room: Amount) -> bool:
        """Whether there is room for it."""
        return self.cpu <= room.cpu and self.memory <= room.memory

    def __str__(self) -> str:
        """In words."""
        return f"{self.cpu.normalize():f} CPU and {self.memory / GIB:.1f} GiB"


class Demand(t.NamedTuple):
    """Pods of one size."""

    name: str
    each: Amount
    pods: int


def amount(values: t.Any) -> Amount:
    """Requests or allocatable resources as numbers."""
    found = values or {}
    return Amount(*(value_of(found.get(kind, 0)) or Decimal(0) for kind in KINDS))


def requested(resources: t.Any) -> Amount:
    """What a container with these resources requests; without a request its limit counts."""
    found = resources or {}
    return amount({**(found.get("limits") or {}), **(found.get("requests") or {})})


def of_pod(pod: Object) -> Amount:
    """What a pod requests, as the scheduler sees it, sidecars aside."""
    spec = pod["spec"]
    total = Amount()
    for container in spec.get("containers") or []:
        total = total.plus(requested(container.get("resources")))
    first = [requested(container.get("resources")) for container in spec.get("initContainers") or []]
    largest = Amount(*(max([getattr(total, kind), *(getattr(one, kind) for one in first)]) for kind in KINDS))
    return largest.plus(amount(spec.get("overhead")))


def usable(node: Object) -> bool:
    """Whether pods without tolerations are placed on it."""
    spec = node.get("spec") or {}
    effects = {taint.get("effect") for taint in spec.get("taints") or []}
    return not spec.get("unschedulable") and not effects & {"NoSchedule", "NoExecute"}


def rooms(nodes: t.Sequence[Object], pods: t.Sequence[Object], own: t.Collection[str]) -> dict[str, Amount]:
    """What each node has left beside the pods of others; ``own`` are the platform's namespaces."""
    left = {node["metadata"]["name"]: amount(node["status"].get("allocatable")) for node in nodes if usable(node)}
    for pod in pods:
        name = pod["spec"].get("nodeName")
        over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if name in left and not over and pod["metadata"]["namespace"] not in own:
            left[name] = left[name].plus(of_pod(pod), -1)
    return left


def verdict(demands: t.Sequence[Demand], left: t.Mapping[str, Amount]) -> Verdict:
    """Whether everything fits together, and the largest pod on a node."""
    needed, room = Amount(), Amount()
    for demand in demands:
        needed = needed.plus(demand.each, demand.pods)
    for one in left.values():
        room = room.plus(one)
    large = [one for one in demands if one.pods and not any(one.each.fits(node) for node in left.values())]
    if large:
        text = ", ".join(f"{one.name} requests {one.each}" for one in large)
        return Verdict("capacity", "failed", f"{text}, and no node has that left; lower its resources or add a node")
    if not needed.fits(room):
        hint = "lower replicas or resources, or add nodes"
        return Verdict("capacity", "failed", f"the components request {needed}, the nodes have {room} left; {hint}")
    return Verdict("capacity", "ok", f"the components request {needed}, the nodes have {room} for them")
