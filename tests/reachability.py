"""Who reaches whom under a set of NetworkPolicies, computed from the policies alone."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

Policy = dict[str, t.Any]
Selector = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Peer:
    """A pod with its labels, or an address outside of the cluster."""

    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    namespace: str = "mlops"
    namespace_labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    address: str = ""

    @property
    def names(self) -> dict[str, str]:
        """The labels of its namespace with the one that every namespace has."""
        return {"kubernetes.io/metadata.name": self.namespace, **self.namespace_labels}


def reaches(policies: t.Sequence[Policy], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether the source may open a connection to a port of the target."""
    return _allows(policies, "Egress", source, target, port, protocol) and _allows(
        policies, "Ingress", target, source, port, protocol
    )


def _allows(policies: t.Sequence[Policy], way: str, owner: Peer, other: Peer, port: int, protocol: str) -> bool:
    """Without a policy for this way everything is allowed; with some, what one of them allows."""
    if owner.address:
        return True
    concerned = [policy for policy in policies if _concerns(policy, way, owner)]
    if not concerned:
        return True
    side = "to" if way == "Egress" else "from"
    return any(
        _ports(rule.get("ports"), port, protocol) and _peers(rule.get(side), policy, other)
        for policy in concerned
        for rule in policy["spec"].get(way.lower()) or []
    )


def _concerns(policy: Policy, way: str, owner: Peer) -> bool:
    spec = policy["spec"]
    namespace = policy["metadata"].get("namespace", "mlops")
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return way in types and namespace == owner.namespace and _selects(spec["podSelector"], owner.labels)


def _ports(wanted: t.Sequence[Selector] | None, port: int, protocol: str) -> bool:
    if not wanted:
        return True
    return any(
        item.get("protocol", "TCP") == protocol
        and item.get("port", port) <= port <= item.get("endPort", item.get("port", port))
        for item in wanted
    )


def _peers(wanted: t.Sequence[Selector] | None, policy: Policy, other: Peer) -> bool:
    return not wanted or any(_peer(item, policy, other) for item in wanted)


def _peer(item: Selector, policy: Policy, other: Peer) -> bool:
    if "ipBlock" in item:
        return bool(other.address) and _in_block(item["ipBlock"], other.address)
    if other.address:
        return False
    if "namespaceSelector" in item:
        here = _selects(item["namespaceSelector"], other.names)
    else:
        here = other.namespace == policy["metadata"].get("namespace", "mlops")
    return here and _selects(item.get("podSelector") or {}, other.labels)


def _in_block(block: Selector, address: str) -> bool:
    found = ipaddress.ip_address(address)
    without = [ipaddress.ip_network(item) for item in block.get("except") or []]
    return found in ipaddress.ip_network(block["cidr"]) and not any(found in network for network in without)


def _selects(selector: Selector, labels: t.Mapping[str, str]) -> bool:
    if set(selector) - {"matchLabels"}:
        raise NotImplementedError(f"a selector with {', '.join(selector)}: only matchLabels is understood")
    return all(labels.get(name) == value for name, value in (selector.get("matchLabels") or {}).items())
