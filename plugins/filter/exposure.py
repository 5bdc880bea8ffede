# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a component is reached from outside the cluster, and its certificate."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.component import component_labels

TYPES = ("none", "node_port", "load_balancer", "ingress")
HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
NODE_PORTS = range(1, 65536)
Object = dict[str, t.Any]
Settings = t.Mapping[str, t.Any]


def exposure(
    component: str,
    settings: Settings,
    service: str,
    port: int,
    target_port: int | str | None = None,
    http: bool = True,
    selector: t.Mapping[str, str] | None = None,
    variable: str = "",
) -> list[Object]:
    """The objects that open a component to the outside: none, a second Service, or an Ingress."""
    variable = variable or f"{component}_exposure"
    _check(settings, variable, http)
    kind = settings.get("type", "none")
    if kind == "none":
        return []
    if kind == "ingress":
        return [_ingress(component, settings, service, port)]
    pods = dict(selector or component_labels(component))
    return [_outer_service(component, settings, service, {"port": port, "target": target_port or port, "pods": pods})]


def _check(settings: Settings, variable: str, http: bool) -> None:
    kind = settings.get("type", "none")
    if kind not in TYPES:
        raise AnsibleFilterError(f"{variable}.type: '{kind}' is unknown; known are {', '.join(TYPES)}")
    if kind == "ingress" and not http:
        raise AnsibleFilterError(f"{variable}.type: an Ingress carries HTTP only; use load_balancer or node_port")
    host = settings.get("host") or ""
    if kind == "ingress" and not HOST.fullmatch(host):
        raise AnsibleFilterError(f"{variable}.host: '{host}' is not a DNS name; an Ingress needs one")
    if settings.get("tls_secret") and settings.get("issuer"):
        raise AnsibleFilterError(f"{variable}: tls_secret and issuer exclude each other; remove one")
    node_port = settings.get("node_port") or 0
    if node_port and (kind != "node_port" or node_port not in NODE_PORTS):
        raise AnsibleFilterError(f"{variable}.node_port: {node_port} needs type node_port and a number up to 65535")


def _outer_service(component: str, settings: Settings, service: str, ports: Settings) -> Object:
    node_port = settings["type"] == "node_port"
    entry: Object = {"name": component, "port": ports["port"], "targetPort": ports["target"], "protocol": "TCP"}
    if node_port and settings.get("node_port"):
        entry["nodePort"] = settings["node_port"]
    spec: Object = {
        "type": "NodePort" if node_port else "LoadBalancer",
        "selector": ports["pods"],
        "ports": [entry],
    }
    if settings.get("from"):
        # Otherwise the node stands in for the client, and a NetworkPolicy sees the node's address.
        spec["externalTrafficPolicy"] = "Local"
    if not node_port and settings.get("class"):
        spec["loadBalancerClass"] = settings["class"]
    if not node_port and settings.get("from"):
        spec["loadBalancerSourceRanges"] = list(settings["from"])
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(component, f"{service}-external", settings.get("annotations")),
        "spec": spec,
    }


def _ingress(component: str, settings: Settings, service: str, port: int) -> Object:
    annotations = dict(settings.get("annotations") or {})
    if settings.get("issuer"):
        annotations[_issuer_annotation(settings)] = settings["issuer"]
    backend = {"service": {"name": service, "port": {"number": port}}}
    spec: Object = {
        "rules": [
            {"host": settings["host"], "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        ]
    }
    if settings.get("class"):
        spec["ingressClassName"] = settings["class"]
    secret = settings.get("tls_secret") or (f"{service}-ingress-tls" if settings.get("issuer") else "")
    if secret:
        spec["tls"] = [{"hosts": [settings["host"]], "secretName": secret}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": _metadata(component, service, annotations),
        "spec": spec,
    }


def _issuer_annotation(settings: Settings) -> str:
    return "cert-manager.io/issuer" if settings.get("issuer_kind") == "Issuer" else "cert-manager.io/cluster-issuer"


def _metadata(component: str, name: str, annotations: Settings | None) -> Object:
    values = {key: str(value) for key, value in (annotations or {}).items()}
    return {"name": name, "labels": component_labels(component), **({"annotations": values} if values else {})}


def service_names(service: str, namespace: str, domain: str = "cluster.local") -> list[str]:
    """The DNS names under which a Service is reached."""
    return [service, f"{service}.{namespace}", f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.{domain}"]


def tls_secret(settings: Settings, service: str) -> str:
    """The name of the Secret that holds a component's own certificate; empty without TLS."""
    if settings.get("secret") and settings.get("issuer"):
        raise AnsibleFilterError(f"{service}_tls: secret and issuer exclude each other; remove one")
    return settings.get("secret") or (f"{service}-tls" if settings.get("issuer") else "")


def tls_certificate(
    component: str, settings: Settings, service: str, namespace: str, exposed: Settings | None = None
) -> list[Object]:
    """The cert-manager Certificate of a component's own TLS, where an issuer is named.

    It is valid for the Service's names, the host of the exposure, and the names and addresses of the settings.
    """
    secret = tls_secret(settings, service)
    if not settings.get("issuer"):
        return []
    host = (exposed or {}).get("host")
    more = [*([host] if host else []), *(settings.get("names") or [])]
    addresses = [name for name in more if _is_address(name)]
    names = [*service_names(service, namespace), *(name for name in more if name not in addresses)]
    return [
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": secret, "labels": component_labels(component)},
            "spec": {
                "secretName": secret,
                "dnsNames": list(dict.fromkeys(names)),
                **({"ipAddresses": addresses} if addresses else {}),
                "issuerRef": {"name": settings["issuer"], "kind": settings.get("issuer_kind") or "ClusterIssuer"},
            },
        }
    ]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "exposure": exposure,
            "service_names": service_names,
            "tls_secret": tls_secret,
            "tls_certificate": tls_certificate,
        }
