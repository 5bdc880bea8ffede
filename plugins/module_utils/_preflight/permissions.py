# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the roles do with the API server, and which of it is not allowed."""

from __future__ import annotations

import typing as t

from .._kube.client import Client

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
MANAGE = ("get", "list", "watch", "create", "patch", "delete")
# By API group: resources that sets hold, in the components' namespaces and in the whole cluster.
IN_NAMESPACE = {
    "": ("configmaps", "secrets", "services", "serviceaccounts", "persistentvolumeclaims", "pods"),
    "apps": ("deployments", "statefulsets", "daemonsets"),
    "batch": ("jobs",),
    "networking.k8s.io": ("networkpolicies", "ingresses"),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("roles", "rolebindings"),
    "ray.io": ("rayservices", "rayclusters"),
}
IN_CLUSTER = {
    "": ("namespaces", "persistentvolumes"),
    "storage.k8s.io": ("storageclasses", "csidrivers"),
    "scheduling.k8s.io": ("priorityclasses",),
    "rbac.authorization.k8s.io": ("clusterroles", "clusterrolebindings"),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "admissionregistration.k8s.io": ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
}
Uses = tuple[tuple[str, str, tuple[str, ...]], ...]
# What is not managed but used: the inventory of a set, what tells why something does not get well, who scales.
USED: Uses = (
    ("", "configmaps", ("update",)),
    ("", "pods/log", ("get",)),
    ("", "events", ("list", "watch")),
    ("apps", "replicasets", ("list",)),
    ("apps", "controllerrevisions", ("list",)),
    ("autoscaling", "horizontalpodautoscalers", ("list",)),
)
# In the whole cluster: nodes and what runs on them, the sets that use a namespace, the pods of preflight.
USED_IN_CLUSTER: Uses = (
    ("", "nodes", ("list",)),
    ("", "configmaps", ("list",)),
    ("", "pods", ("list", "watch", "create")),
    ("", "secrets", ("create",)),
    ("", "serviceaccounts", ("create",)),
)
# By role. The way into a Service's pod:
FORWARD: Uses = (("discovery.k8s.io", "endpointslices", ("list",)), ("", "pods/portforward", ("get", "create")))
# A role that makes Roles gives rights that the user of the kubeconfig may not have.
GIVE = ("escalate", "bind")
GIVES_ROLES: Uses = (("rbac.authorization.k8s.io", "roles", GIVE),)
OF_ROLES: dict[str, Uses] = {
    **dict.fromkeys(("postgresql", "redis", "minio", "mlflow"), FORWARD),
    **dict.fromkeys(("csi_driver_nfs", "kuberay_operator"), GIVES_ROLES),
    "ray_service": (*FORWARD, *GIVES_ROLES),
}
RAY = ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
OF_ROLES_IN_CLUSTER: dict[str, Uses] = {
    "csi_driver_nfs": (
        ("apps", "daemonsets", ("list",)),
        ("rbac.authorization.k8s.io", "clusterroles", GIVE),
    ),
    "kuberay_operator": tuple(("ray.io", kind, ("list",)) for kind in RAY),
    "ray_service": (("ray.io", "rayclusters", ("list",)),),
}
CERTIFICATES: Uses = (("cert-manager.io", "certificates", MANAGE),)


class Right(t.NamedTuple):
    """One thing to do with one resource; an empty namespace is the whole cluster."""

    verb: str
    group: str
    resource: str
    namespace: str = ""

    def attributes(self) -> dict[str, str]:
        """As a SelfSubjectAccessReview wants it."""
        resource, _, sub = self.resource.partition("/")
        found = {"verb": self.verb, "group": self.group, "resource": resource, "subresource": sub}
        return {**found, "namespace": self.namespace}


def wanted(namespaces: t.Iterable[str], roles: t.Collection[str], certificates: bool = False) -> list[Right]:
    """All rights that the roles need; with certificates also those of cert-manager."""
    inside = [*managed(IN_NAMESPACE), *USED, *(CERTIFICATES if certificates else ())]
    everywhere = [*managed(IN_CLUSTER), *USED_IN_CLUSTER]
    for role in roles:
        inside += OF_ROLES.get(role, ())
        everywhere += OF_ROLES_IN_CLUSTER.get(role, ())
    places = [("", use) for use in everywhere] + [(name, use) for name in namespaces for use in inside]
    found = [Right(verb, group, resource, name) for name, (group, resource, verbs) in places for verb in verbs]
    return list(dict.fromkeys(found))


def managed(kinds: t.Mapping[str, t.Iterable[str]]) -> Uses:
    """What sets do with their objects."""
    return tuple((group, resource, MANAGE) for group, resources in kinds.items() for resource in resources)


def allowed(client: Client, right: Right) -> bool:
    """Ask the API server."""
    answer = client.request("POST", REVIEW, body={"spec": {"resourceAttributes": right.attributes()}})
    return bool(answer.body["status"].get("allowed"))


def missing(client: Client, rights: t.Sequence[Right]) -> list[str]:
    """Which rights are not there, one text for each resource; one question is enough for an administrator."""
    if allowed(client, Right("*", "*", "*")):
        return []
    answers = client.each(lambda right: allowed(client, right), rights)
    return grouped([right for right, good in zip(rights, answers) if not good])


def grouped(rights: t.Iterable[Right]) -> list[str]:
    """Rights in words, the verbs of a resource together."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        resource = f"{right.resource}.{right.group}" if right.group else right.resource
        verbs.setdefault((resource, right.namespace), []).append(right.verb)
    return [
        f"{', '.join(found)} {resource} {f'in {namespace}' if namespace else 'of the cluster'}"
        for (resource, namespace), found in verbs.items()
    ]
