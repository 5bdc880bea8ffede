# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Kinds and their paths. Well-known kinds cost no request; others are looked up once."""

from __future__ import annotations

import threading
import typing as t

from .client import Client
from .errors import UnknownKindError
from .package import kinds_of


class Resource(t.NamedTuple):
    """A kind of the API."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def group(self) -> str:
        """The API group; empty for the core kinds."""
        return group_of(self.api_version)

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of one object, of a namespace's objects or of all."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        middle = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{middle}/{self.plural}" + (f"/{name}" if name else "")


def group_of(api_version: str) -> str:
    """The API group of an apiVersion."""
    return api_version.rpartition("/")[0]


def _table(text: str, namespaced: bool) -> dict[tuple[str, str], Resource]:
    found = {}
    for line in text.split("\n"):
        api_version, _, kinds = line.strip().partition(": ")
        for pair in kinds.split():
            kind, _, plural = pair.partition("=")
            found[(api_version, kind)] = Resource(api_version, kind, plural or f"{kind.lower()}s", namespaced)
    return found


KNOWN = {
    **_table(
        """v1: ConfigMap Secret Service ServiceAccount Pod PersistentVolumeClaim Event ReplicationController
        v1: Endpoints=endpoints LimitRange ResourceQuota PodTemplate
        apps/v1: Deployment StatefulSet DaemonSet ReplicaSet
        batch/v1: Job CronJob
        autoscaling/v2: HorizontalPodAutoscaler
        policy/v1: PodDisruptionBudget
        networking.k8s.io/v1: NetworkPolicy=networkpolicies Ingress=ingresses
        rbac.authorization.k8s.io/v1: Role RoleBinding
        coordination.k8s.io/v1: Lease
        discovery.k8s.io/v1: EndpointSlice""",
        namespaced=True,
    ),
    **_table(
        """v1: Namespace Node PersistentVolume
        storage.k8s.io/v1: StorageClass=storageclasses CSIDriver CSINode
        rbac.authorization.k8s.io/v1: ClusterRole ClusterRoleBinding
        networking.k8s.io/v1: IngressClass=ingressclasses
        node.k8s.io/v1: RuntimeClass=runtimeclasses
        scheduling.k8s.io/v1: PriorityClass=priorityclasses
        apiextensions.k8s.io/v1: CustomResourceDefinition
        apiregistration.k8s.io/v1: APIService
        admissionregistration.k8s.io/v1: ValidatingWebhookConfiguration MutatingWebhookConfiguration
        admissionregistration.k8s.io/v1: ValidatingAdmissionPolicy=validatingadmissionpolicies
        admissionregistration.k8s.io/v1: ValidatingAdmissionPolicyBinding""",
        namespaced=False,
    ),
}
NAMESPACE = KNOWN["v1", "Namespace"]
CONFIG_MAP = KNOWN["v1", "ConfigMap"]
CRD = KNOWN["apiextensions.k8s.io/v1", "CustomResourceDefinition"]
POD = KNOWN["v1", "Pod"]
CLAIM = KNOWN["v1", "PersistentVolumeClaim"]
EVENT = KNOWN["v1", "Event"]


def served(client: Client, api_version: str) -> list[dict[str, t.Any]]:
    """The resources of a group version on the server, as its discovery has them now."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return (client.find(root) or {}).get("resources") or []


class Resources:
    """Finds kinds: in the table, in the set's own CRDs, or on the server.

    With ``assume`` a kind that the server has in no group is taken for one that another set brings, as check mode must.
    """

    def __init__(self, client: Client, assume: bool = False) -> None:
        self.client = client
        self.assume = assume
        self.known = dict(KNOWN)
        self.assumed: set[tuple[str, str]] = set()
        self._asked: dict[str, list[dict[str, t.Any]]] = {}
        self._kinds: dict[str, list[str]] | None = None
        self._lock = threading.RLock()

    def learn(self, crd: t.Mapping[str, t.Any]) -> None:
        """Take the kinds of a CRD that the set brings along."""
        spec = crd.get("spec") or {}
        names = spec.get("names") or {}
        for version in spec.get("versions") or []:
            found = Resource(
                f"{spec.get('group')}/{version.get('name')}",
                str(names.get("kind")),
                str(names.get("plural")),
                spec.get("scope") == "Namespaced",
            )
            self.known[found.api_version, found.kind] = found

    def find(self, api_version: str, kind: str) -> Resource:
        """The kind, or UnknownKindError."""
        found = self.known.get((api_version, kind))
        if found:
            return found
        with self._lock:
            self.known[api_version, kind] = found = self._looked_up(api_version, kind)
        return found

    def _looked_up(self, api_version: str, kind: str) -> Resource:
        served = self._served(api_version)
        for item in served:
            if item["kind"] == kind and "/" not in item["name"]:
                return Resource(api_version, kind, item["name"], bool(item.get("namespaced")))
        if self.assume and not served and not self._versions(kind):
            self.assumed.add((api_version, kind))
            return Resource(api_version, kind, f"{kind.lower()}s", namespaced=True)
        raise UnknownKindError(f"unknown kind {kind} in {api_version}")

    def is_served(self, api_version: str, kind: str) -> bool:
        """Whether the server itself has a kind."""
        return any(item["kind"] == kind for item in self._served(api_version))

    def has_status(self, api_version: str, kind: str) -> bool:
        """Whether the server keeps the status of a kind apart, for its controller to write."""
        name = f"{self.find(api_version, kind).plural}/status"
        return any(item["name"] == name for item in self._served(api_version))

    def elsewhere(self, kind: str) -> str:
        """Where else the server has a kind, for a message."""
        versions = self._versions(kind)
        if versions:
            return f"{kind} is in {', '.join(versions)} on this server: correct apiVersion"
        return "neither the server nor a CRD of the set has it: correct kind and apiVersion, or add its CRD"

    def _versions(self, kind: str) -> list[str]:
        """The group versions in which the server has a kind; the server is searched once."""
        with self._lock:
            if self._kinds is None:
                self._kinds = kinds_of(self.client.transport.connection)
            return self._kinds.get(kind, [])

    def _served(self, api_version: str) -> list[dict[str, t.Any]]:
        """The kinds of a group version on the server, asked for once."""
        with self._lock:
            if api_version not in self._asked:
                self._asked[api_version] = served(self.client, api_version)
            return self._asked[api_version]
