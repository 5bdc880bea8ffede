# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to a component, and whom it may talk to."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.component import USES, component_labels

Object = dict[str, t.Any]
Settings = t.Mapping[str, t.Any]
# Who may scrape where nobody is named: no password protects metrics, and some are on the component's own port.
MONITORING: Object = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
# Policies see the port of the DNS pod, which differs between clusters; its own port 53 covers a DNS cache on the node.
DNS_RULES: list[Object] = [
    {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
    {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ]
    },
]


def network_policy(
    component: str,
    settings: Settings,
    ports: t.Sequence[int],
    layout: t.Mapping[str, Settings] | None = None,
    uses: t.Sequence[str] = (),
    exposed: Settings | None = None,
    metrics: Settings | None = None,
    metrics_port: int | None = None,
    outside: t.Sequence[int] = (),
    egress: t.Sequence[Object] = (),
) -> list[Object]:
    """One NetworkPolicy for the component's pods; none where the policy is switched off."""
    if not settings.get("enabled", True):
        return []
    incoming = [
        *_from_users(component, settings, ports),
        *_from_outside(exposed or {}, ports),
        *_from_metrics(metrics or {}, metrics_port),
    ]
    # What lies outside the cluster has no labels, only ports.
    away = [{"ports": _ports(outside)}] if outside else []
    outgoing = [*_to_used(component, uses, layout or {}), *away, *egress, *(settings.get("egress") or [])]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": component, "labels": component_labels(component)},
            "spec": {
                "podSelector": {"matchLabels": component_labels(component)},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": incoming,
                # The connection to what is used starts with the look-up of its name.
                "egress": [*DNS_RULES, *outgoing] if outgoing else [],
            },
        }
    ]


def _ports(ports: t.Sequence[int]) -> list[Object]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _from_users(component: str, settings: Settings, ports: t.Sequence[int]) -> list[Object]:
    # A rule without ports would open all of them.
    if not ports:
        return []
    users = {"podSelector": {"matchLabels": {f"{USES}{component}": "true"}}}
    return [{"from": [users, *(settings.get("from") or [])], "ports": _ports(ports)}]


def _from_outside(settings: Settings, ports: t.Sequence[int]) -> list[Object]:
    if settings.get("type", "none") == "none":
        return []
    networks = [{"ipBlock": {"cidr": cidr}} for cidr in settings.get("from") or []]
    # Without networks, from anywhere: an ingress controller or a node may stand in between.
    return [{**({"from": networks} if networks else {}), "ports": _ports(ports[:1])}]


def _from_metrics(settings: Settings, port: int | None) -> list[Object]:
    if not settings.get("enabled"):
        return []
    return [{"from": settings.get("from") or [MONITORING], "ports": _ports([port] if port else [])}]


def _to_used(component: str, uses: t.Sequence[str], layout: t.Mapping[str, Settings]) -> list[Object]:
    rules = []
    for name in uses:
        if name not in layout:
            known = ", ".join(sorted(layout))
            raise AnsibleFilterError(f"network_policy of {component}: no component '{name}' to use; known are {known}")
        peer = {"podSelector": {"matchLabels": component_labels(name)}}
        rules.append({"to": [peer], "ports": _ports([layout[name]["port"]])})
    return rules


def url_port(url: str) -> int:
    """The port of an http or https address, which may be the usual one of its scheme."""
    parts = urlsplit(url)
    return parts.port or (80 if parts.scheme == "http" else 443)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"network_policy": network_policy, "url_port": url_port}
