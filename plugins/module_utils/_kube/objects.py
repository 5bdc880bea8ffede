# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Names, labels and the order of objects."""

from __future__ import annotations

import typing as t

from .resources import KNOWN, group_of

Object = dict[str, t.Any]

SET_LABEL = "mlops.platform/set"
MARK_PREFIX = "set.mlops.platform/"
INVENTORY_LABEL = "mlops.platform/inventory-of"
HASH_ANNOTATION = "mlops.platform/config-hash"
RESTART_ANNOTATION = "mlops.platform/restart"
REPLACE_ANNOTATION = "mlops.platform/replace"
MANAGER_PREFIX = "kube_set."

# Kinds that hold data: they go only when a parameter says so.
CLAIMS = frozenset({("", "PersistentVolumeClaim"), ("", "PersistentVolume")})
FIRST = frozenset({("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")})
WORKLOADS = frozenset(
    {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("apps", "ReplicaSet")}
    | {("batch", "Job"), ("batch", "CronJob"), ("", "Pod"), ("", "ReplicationController")}
)
LAST = frozenset(
    {("admissionregistration.k8s.io", "ValidatingWebhookConfiguration")}
    | {("admissionregistration.k8s.io", "MutatingWebhookConfiguration"), ("apiregistration.k8s.io", "APIService")}
)
BUILT_IN = frozenset((group_of(api_version), kind) for api_version, kind in KNOWN)


class Key(t.NamedTuple):
    """What makes an object the same object, whatever version of its API names it."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def is_namespace(self) -> bool:
        """Whether the object is a namespace, which several sets may share."""
        return (self.group, self.kind) == ("", "Namespace")

    @property
    def is_claim(self) -> bool:
        """Whether the object stands for data."""
        return (self.group, self.kind) in CLAIMS

    @property
    def is_crd(self) -> bool:
        """Whether the object defines a kind."""
        return self.kind == "CustomResourceDefinition"

    def __str__(self) -> str:
        """The object as people name it: Kind namespace/name."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class SetId(t.NamedTuple):
    """The identity of a set."""

    namespace: str
    name: str

    @property
    def label(self) -> str:
        """The value of the set's label."""
        return f"{self.namespace}.{self.name}"

    @property
    def manager(self) -> str:
        """The field manager of the set."""
        return MANAGER_PREFIX + self.label


def key_of(obj: t.Mapping[str, t.Any]) -> Key:
    """The key of an object."""
    meta = obj.get("metadata") or {}
    return Key(group_of(obj["apiVersion"]), obj["kind"], meta.get("namespace") or "", meta["name"])


def meta_of(obj: t.Mapping[str, t.Any], field: str) -> dict[str, t.Any]:
    """The labels or annotations of an object."""
    return (obj.get("metadata") or {}).get(field) or {}


def wave(key: Key) -> int:
    """The order of creation: what others need comes first. Removal goes the other way."""
    kind = (key.group, key.kind)
    if kind in FIRST:
        return 0
    if kind in WORKLOADS:
        return 2
    return 1 if kind in BUILT_IN and kind not in LAST else 3
