# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods of every component have in common: labels, annotations and security contexts."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

PART_OF = "mlops-platform"
USES = "mlops.platform/uses-"
Object = dict[str, t.Any]
AUTHORITIES = "/run/authorities"


def component_labels(component: str) -> dict[str, str]:
    """The labels that select the pods of a component. They are immutable in workloads, so nothing else belongs here."""
    return {"app.kubernetes.io/name": component, "app.kubernetes.io/part-of": PART_OF}


def pod_metadata(
    component: str,
    labels: t.Mapping[str, str] | None = None,
    annotations: t.Mapping[str, str] | None = None,
    uses: t.Sequence[str] = (),
    metrics: t.Mapping[str, t.Any] | None = None,
    metrics_port: int | None = None,
    metrics_path: str = "/metrics",
) -> Object:
    """The metadata of a pod template: the user's labels and annotations, never instead of the component's own."""
    own = {**component_labels(component), **{f"{USES}{name}": "true" for name in uses}}
    taken = sorted(set(labels or {}) & set(own))
    if taken:
        raise AnsibleFilterError(f"{component}_pod_labels: {taken[0]} belongs to the role; take another label")
    scrape = {}
    if metrics and metrics.get("enabled"):
        scrape = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(metrics_port),
            "prometheus.io/path": metrics_path,
        }
    return {
        "labels": {**_texts(labels), **own},
        "annotations": {**scrape, **_texts(annotations)},
    }


def _texts(values: t.Mapping[str, t.Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (values or {}).items()}


def pod_security(uid: int, gid: int) -> Object:
    """The pod's security context under the restricted profile. No fsGroup: a chown on a squashed export fails."""
    return {
        "runAsNonRoot": True,
        "runAsUser": int(uid),
        "runAsGroup": int(gid),
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security(read_only: bool = True) -> Object:
    """A container's security context under the restricted profile; the input says whether its root is read-only."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": bool(read_only),
        "capabilities": {"drop": ["ALL"]},
    }


def container_environment(
    values: t.Mapping[str, t.Any], secrets: t.Mapping[str, t.Sequence[str]] | None = None
) -> list[Object]:
    """The environment of a container: plain values as texts; of those that a Secret gives, its name and key."""
    references = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in (secrets or {}).items()
    ]
    plain = [{"name": name, "value": _text(value)} for name, value in values.items() if name not in (secrets or {})]
    return plain + references


def _text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def trusted_authorities(secrets: t.Mapping[str, str]) -> dict[str, t.Any]:
    """What lets a container trust the authorities whose ca.crt lies in Secrets; an empty name stands for none.

    The input is the Secret's name by the environment variable that names the file. Gives ``environment`` (a mapping),
    ``mounts`` and ``volumes``.
    """
    found = {variable: secret for variable, secret in secrets.items() if secret}
    names = sorted(set(found.values()))
    items = [{"key": "ca.crt", "path": "ca.crt"}]
    return {
        "environment": {variable: f"{AUTHORITIES}/{secret}/ca.crt" for variable, secret in found.items()},
        "mounts": [
            {"name": f"ca-{n}", "mountPath": f"{AUTHORITIES}/{one}", "readOnly": True} for n, one in enumerate(names)
        ],
        "volumes": [{"name": f"ca-{n}", "secret": {"secretName": one, "items": items}} for n, one in enumerate(names)],
    }


def named(names: t.Sequence[str]) -> list[dict[str, str]]:
    """A list of names as a list of references, such as imagePullSecrets takes it."""
    return [{"name": name} for name in names]


def disruption_budget(component: str, replicas: int, name: str = "") -> list[Object]:
    """A PodDisruptionBudget where there is a second replica: with one it would only block the drain of a node."""
    if int(replicas) < 2:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name or component, "labels": component_labels(component)},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": component_labels(component)}},
        }
    ]


def restricted_namespace(name: str) -> list[Object]:
    """The components' namespace; it is made where it is missing."""
    profile = "pod-security.kubernetes.io"
    labels = {f"{profile}/enforce": "restricted", f"{profile}/warn": "restricted"}
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "component_labels": component_labels,
            "pod_metadata": pod_metadata,
            "pod_security": pod_security,
            "container_security": container_security,
            "container_environment": container_environment,
            "named": named,
            "restricted_namespace": restricted_namespace,
            "trusted_authorities": trusted_authorities,
            "disruption_budget": disruption_budget,
        }
