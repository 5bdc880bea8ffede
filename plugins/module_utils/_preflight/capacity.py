# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether what the components request fits into what the nodes have left."""

from __future__ import annotations

import typing as t

from .amount import Amount, amount, of_pod
from .verdict import Object, Verdict

HARD = frozenset({"NoSchedule", "NoExecute"})


class Demand(t.NamedTuple):
    """Pods of one size, and the nodes on which they may run."""

    name: str
    each: Amount
    pods: int
    selector: t.Mapping[str, t.Any] = {}
    tolerations: t.Sequence[Object] = ()


class Room(t.NamedTuple):
    """A node that takes pods, and what it has left."""

    name: str
    left: Amount
    labels: t.Mapping[str, str] = {}
    taints: t.Sequence[Object] = ()


Placed = t.Sequence[tuple[Demand, t.Sequence[Room]]]


def rooms(nodes: t.Sequence[Object], pods: t.Sequence[Object], own: t.Collection[str]) -> list[Room]:
    """What each node has left beside the pods of others; ``own`` are the platform's namespaces."""
    left = {node["metadata"]["name"]: amount(node["status"].get("allocatable")) for node in nodes}
    for pod in pods:
        name = pod["spec"].get("nodeName")
        over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if name in left and not over and pod["metadata"]["namespace"] not in own:
            left[name] = left[name].plus(of_pod(pod), -1)
    return [
        Room(node["metadata"]["name"], left[node["metadata"]["name"]], node["metadata"].get("labels") or {}, hard(spec))
        for node in nodes
        for spec in [node.get("spec") or {}]
        if not spec.get("unschedulable")
    ]


def hard(spec: Object) -> list[Object]:
    """The taints of a node that keep pods away."""
    return [taint for taint in spec.get("taints") or [] if taint.get("effect") in HARD]


def tolerates(toleration: Object, taint: Object) -> bool:
    """Whether a toleration is one for the taint, by the rules of Kubernetes."""
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    same = (toleration.get("value") or "") == (taint.get("value") or "")
    return toleration["key"] == taint["key"] and (exists or same)


def takes(room: Room, demand: Demand) -> bool:
    """Whether the node may run pods of this kind."""
    selected = all(room.labels.get(key) == str(value) for key, value in demand.selector.items())
    return selected and all(any(tolerates(one, taint) for one in demand.tolerations) for taint in room.taints)


def verdict(demands: t.Sequence[Demand], left: t.Sequence[Room], twice: t.Sequence[Demand] = ()) -> Verdict:
    """Whether each pod has a node, the largest one too, and all together the nodes that they may use.

    ``twice`` are Ray's: a new cluster runs beside the old one until it has taken over.
    """
    placed = places(demands, left)
    why = homeless(placed) or large(placed) or crowded(placed)
    if why:
        return Verdict("capacity", "failed", why)
    needed, room = total([one for one, _rooms in placed]), free(left)
    text = f"the components request {needed}, the nodes have {room} for them"
    more = total(twice)
    if any(more.values()):
        lack = ", which is not there" if crowded([*placed, *places(twice, left)]) else ""
        text += f"; a change of Ray's cluster needs {more} more for a while{lack}"
    return Verdict("capacity", "ok", text)


def places(demands: t.Sequence[Demand], left: t.Sequence[Room]) -> Placed:
    """The demands that have pods, each with the nodes that take them."""
    return [(one, [room for room in left if takes(room, one)]) for one in demands if one.pods]


def homeless(placed: Placed) -> str:
    """What no node may run."""
    names = [one.name for one, nodes in placed if not nodes]
    hint = "correct the node selector and tolerations, or add a node"
    return f"{', '.join(names)}: no node has the labels and takes the pods; {hint}" if names else ""


def large(placed: Placed) -> str:
    """What is too large for each of its nodes."""
    found = [one for one, nodes in placed if not any(one.each.fits(room.left) for room in nodes)]
    text = ", ".join(f"{one.name} requests {one.each}" for one in found)
    return f"{text}, and no node has that left; lower its resources or add a node" if text else ""


def crowded(placed: Placed) -> str:
    """What is too much for the nodes that it may use, whatever else runs there."""
    for names in sorted({names_of(nodes) for _one, nodes in placed}, key=len):
        nodes = {room.name: room for _one, found in placed for room in found if room.name in names}
        needed = total([one for one, found in placed if names_of(found) <= names])
        room = free(nodes.values())
        if not needed.fits(room):
            text = f"the components request {needed}, the nodes have {room} left"
            return f"{text} ({', '.join(sorted(names))}); lower replicas or resources, or add nodes"
    return ""


def names_of(nodes: t.Iterable[Room]) -> frozenset[str]:
    """The names of nodes."""
    return frozenset(room.name for room in nodes)


def total(demands: t.Iterable[Demand]) -> Amount:
    """What all pods request."""
    found = Amount()
    for one in demands:
        found = found.plus(one.each, one.pods)
    return found


def free(nodes: t.Iterable[Room]) -> Amount:
    """What all nodes have left."""
    found = Amount()
    for room in nodes:
        found = found.plus(room.left)
    return found
