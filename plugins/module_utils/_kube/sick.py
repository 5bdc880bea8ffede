# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Pods that cannot get well by waiting, and to whom pods belong."""

from __future__ import annotations

import datetime
import typing as t

from .objects import Key, Object
from .ready import condition, status_of, unobserved

HOPELESS = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
    | {
        "CrashLoopBackOff",
        "RunContainerError",
        "CreateContainerConfigError",
        "CreateContainerError",
        "PostStartHookError",
    }
)
MOUNT_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
MOUNT_MEMORY = 150.0  # seconds: the kubelet tries again after two minutes at the latest, and tells it if it fails
RESTARTS = 2


def containers(pod: Object) -> list[dict[str, t.Any]]:
    """The states of all containers of a pod."""
    status = status_of(pod)
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def sickness(pod: Object, mount_failure: str = "") -> str:
    """Why a pod cannot get well; empty when it may."""
    if (pod.get("metadata") or {}).get("deletionTimestamp") or status_of(pod).get("phase") in ("Succeeded", "Failed"):
        return ""
    for container in containers(pod):
        found = container_sickness(container)
        if found:
            return f"container {container['name']}: {found}"
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        # A claim that is being provisioned makes a pod unschedulable for a while.
        provisioning = "unbound immediate PersistentVolumeClaims" in scheduled.get("message", "")
        return "" if provisioning else f"unschedulable: {scheduled.get('message', '')}"
    return f"mount failed: {mount_failure}" if mount_failure and not is_mounted(pod) else ""


def is_mounted(pod: Object) -> bool:
    """Whether the volumes of a pod are mounted: its sandbox is made after them, its containers after the sandbox."""
    sandbox = condition(pod, "PodReadyToStartContainers").get("status") == "True"
    return sandbox or any("running" in (item.get("state") or {}) for item in containers(pod))


def event_age(event: Object, now: float) -> float:
    """How many seconds before ``now`` (of the epoch) an event was seen last; 0 when that cannot be told."""
    series = event.get("series") or {}
    text = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    try:
        seen = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return max(now - seen.timestamp(), 0.0)


def container_sickness(container: t.Mapping[str, t.Any]) -> str:
    """Why a container cannot get well; empty when it may."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    ended = (container.get("lastState") or {}).get("terminated") or {}
    code = f", exit code {ended['exitCode']}" if "exitCode" in ended else ""
    if waiting.get("reason") in HOPELESS:
        return f"{waiting['reason']}{code}" + (f": {waiting['message']}" if waiting.get("message") else "")
    terminated = (container.get("state") or {}).get("terminated") or {}
    if container.get("restartCount", 0) >= RESTARTS and terminated.get("exitCode"):
        return f"it ended again, exit code {terminated['exitCode']}"
    return ""


def selects(selector: t.Mapping[str, t.Any], labels: t.Mapping[str, str]) -> bool:
    """Whether a label selector finds these labels."""
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(expression_holds(item, labels) for item in selector.get("matchExpressions") or [])


def expression_holds(item: t.Mapping[str, t.Any], labels: t.Mapping[str, str]) -> bool:
    """Whether one expression of a label selector holds."""
    name, operator, values = item["key"], item["operator"], item.get("values") or []
    if operator in ("Exists", "DoesNotExist"):
        return (name in labels) == (operator == "Exists")
    return (labels.get(name) in values) == (operator == "In")


def belongs(pod: Object, key: Key, workload: Object) -> bool:
    """Whether a pod is run by the workload, in any of its forms."""
    meta = pod["metadata"]
    if key.namespace != meta.get("namespace"):
        return False
    if key.kind == "Pod":
        return bool(key.name == meta["name"])
    owner = controller_of(pod)
    if key.kind in ("RayService", "RayCluster"):
        clusters = ray_clusters(workload) if key.kind == "RayService" else {key.name}
        return owner.get("kind") == "RayCluster" and owner.get("name") in clusters
    selector = (workload.get("spec") or {}).get("selector")
    if not isinstance(selector, dict) or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return False
    owned = {"Deployment": "ReplicaSet"}.get(key.kind, key.kind) == owner.get("kind")
    return owned and selects(selector, meta.get("labels") or {})


def controller_of(obj: Object) -> dict[str, t.Any]:
    """The reference to the object that made this one; empty without one."""
    found = (obj.get("metadata") or {}).get("ownerReferences") or []
    return next((item for item in found if item.get("controller")), {})


def ray_clusters(service: Object) -> set[str]:
    """The names of the RayClusters that a RayService runs: the old one is no matter when a new one is under way."""
    if unobserved(service):
        return set()
    status = status_of(service)
    names = [
        (status.get(field) or {}).get("rayClusterName") for field in ("pendingServiceStatus", "activeServiceStatus")
    ]
    return set(list(filter(None, names))[:1])


def is_stuck(pod: Object, workload: Object) -> bool:
    """Whether a sick pod of an old revision keeps a StatefulSet from making the new one."""
    if workload.get("kind") != "StatefulSet":
        return False
    wanted = status_of(workload).get("updateRevision")
    revision = (pod["metadata"].get("labels") or {}).get("controller-revision-hash")
    return bool(wanted and revision and revision != wanted)


def all_probed(workload: Object) -> bool:
    """Whether each container of a workload that runs for ever has a readiness probe."""
    if (workload.get("spec") or {}).get("replicas") == 0 or workload.get("kind") not in (
        "Deployment",
        "StatefulSet",
        "DaemonSet",
    ):
        return True
    pod = ((workload.get("spec") or {}).get("template") or {}).get("spec") or {}
    return all("readinessProbe" in container for container in pod.get("containers") or [])
