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
# What is not managed but used: the way into pods, and what tells why something does not get well.
USED = (
    ("", "pods/portforward", ("get", "create")),
    ("", "pods/log", ("get",)),
    ("", "events", ("list",)),
)


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


def wanted(namespaces: t.Iterable[str]) -> list[Right]:
    """All rights that the roles need."""
    inside = [
        Right(verb, group, resource, namespace)
        for namespace in namespaces
        for group, resources in IN_NAMESPACE.items()
        for resource in resources
        for verb in MANAGE
    ]
    inside += [
        Right(verb, group, resource, namespace)
        for namespace in namespaces
        for group, resource, verbs in USED
        for verb in verbs
    ]
    everywhere = [
        Right(verb, group, resource)
        for group, resources in IN_CLUSTER.items()
        for resource in resources
        for verb in MANAGE
    ]
    return [*inside, *everywhere, Right("list", "", "nodes"), Right("list", "", "pods")]


def allowed(client: Client, right: Right) -> bool:
    """Ask the API server."""
    answer = client.request("POST", REVIEW, body={"spec": {"resourceAttributes": right.attributes()}})
    return bool(answer.body["status"].get("allowed"))


def missing(client: Client, namespaces: t.Sequence[str]) -> list[str]:
    """What is not allowed, one text for each resource; one question is enough for an administrator."""
    if allowed(client, Right("*", "*", "*")):
        return []
    rights = wanted(namespaces)
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
