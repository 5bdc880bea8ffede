# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Which pods of a workload are of its newest form: sick pods of an older one go away by themselves."""

from __future__ import annotations

import typing as t

from .client import Client
from .errors import ApiError
from .objects import Key, Object, meta_of
from .ready import unobserved
from .resources import Resource, Resources
from .sick import controller_of

REVISION = "deployment.kubernetes.io/revision"
CONTROLLER_REVISION = Resource("apps/v1", "ControllerRevision", "controllerrevisions", namespaced=True)


class Revisions:
    """Asks for the newest forms of workloads, once for each generation."""

    def __init__(self, client: Client, resources: Resources) -> None:
        self.client = client
        self.resources = resources
        self._known: dict[tuple[str, int], tuple[str, str]] = {}

    def outdated(self, pod: Object, key: Key, workload: Object) -> bool:
        """Whether a pod is of an older form of a Deployment or DaemonSet, or may be, as its controller is behind."""
        if key.kind not in ("Deployment", "DaemonSet") or on_delete(workload):
            return False
        if unobserved(workload):
            return True
        meta = workload["metadata"]
        asked = (meta["uid"], meta.get("generation", 0))
        if asked not in self._known:
            self._known[asked] = self.newest(key, workload)
        label, wanted = self._known[asked]
        found = meta_of(pod, "labels").get(label)
        return bool(wanted and found and found != wanted)

    def newest(self, key: Key, workload: Object) -> tuple[str, str]:
        """The label of the newest form's pods and its value; an empty value when it cannot be told."""
        kind = self.resources.find("apps/v1", "ReplicaSet") if key.kind == "Deployment" else CONTROLLER_REVISION
        try:
            found = self.client.get(kind.path(key.namespace)).get("items") or []
        except ApiError as error:
            if error.status != 403:
                raise
            found = []
        own = [item for item in found if controller_of(item).get("uid") == workload["metadata"]["uid"]]
        return newest_of_deployment(own) if key.kind == "Deployment" else newest_of_daemon_set(own)


def on_delete(workload: Object) -> bool:
    """Whether old pods stay until somebody deletes them."""
    return ((workload.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"


def newest_of_deployment(replica_sets: t.Sequence[Object]) -> tuple[str, str]:
    """The label and value of the pods of the ReplicaSet with the highest revision."""
    last = max(replica_sets, key=lambda item: int(meta_of(item, "annotations").get(REVISION) or 0), default={})
    return "pod-template-hash", str(meta_of(last, "labels").get("pod-template-hash") or "")


def newest_of_daemon_set(revisions: t.Sequence[Object]) -> tuple[str, str]:
    """The label and value of the pods of the highest ControllerRevision."""
    last = max(revisions, key=lambda item: int(item.get("revision") or 0), default={})
    return "controller-revision-hash", str(meta_of(last, "labels").get("controller-revision-hash") or "")
