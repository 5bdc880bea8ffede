# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether an object is ready, decided by its status alone. Each function returns why not, or nothing."""

from __future__ import annotations

import typing as t

from .objects import Object
from .resources import group_of

FAILED = "failed: "  # begins a reason that no waiting cures


def unready(obj: Object) -> str:
    """Why an object is not ready; empty when it is."""
    group = group_of(obj["apiVersion"])
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        return "it is being deleted"
    check = CHECKS.get((group, obj["kind"]))
    if check:
        return check(obj)
    return "" if group in QUIET else by_conditions(obj)


def is_watched(obj: Object) -> bool:
    """Whether objects of this kind become ready at all, or are ready as soon as they exist."""
    group = group_of(obj["apiVersion"])
    return (group, obj["kind"]) in CHECKS or group not in QUIET


def is_silent(obj: Object) -> bool:
    """Whether a custom object that may get a status has none yet: its conditions, if any, are still to come."""
    group = group_of(obj["apiVersion"])
    return group not in QUIET and (group, obj["kind"]) not in CHECKS and not status_of(obj)


def status_of(obj: Object) -> dict[str, t.Any]:
    """The status of an object."""
    return obj.get("status") or {}


def condition(obj: Object, kind: str) -> dict[str, t.Any]:
    """One condition of an object; empty when it has none of that type."""
    found = [item for item in status_of(obj).get("conditions") or [] if item.get("type") == kind]
    return found[0] if found else {}


def said(item: t.Mapping[str, t.Any]) -> str:
    """A condition in words."""
    return (
        ": ".join(filter(None, (item.get("reason"), item.get("message")))) or f"{item.get('type')}={item.get('status')}"
    )


def unobserved(obj: Object) -> bool:
    """Whether the controller has not yet seen the newest form of the object."""
    return int(status_of(obj).get("observedGeneration") or 0) < int(obj["metadata"].get("generation") or 0)


def deployment(obj: Object) -> str:
    """All replicas are of the newest form and available."""
    status, wanted = status_of(obj), (obj.get("spec") or {}).get("replicas", 1)
    if unobserved(obj):
        return "its controller has not seen it yet"
    if condition(obj, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        return f"{FAILED}{said(condition(obj, 'Progressing'))}"
    updated, total, available = (status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas"))
    if updated < wanted:
        return f"{updated} of {wanted} replicas are updated"
    if total > updated:
        return f"{total - updated} old replicas are left"
    return f"{available} of {wanted} replicas are available" if available < wanted else ""


def stateful_set(obj: Object) -> str:
    """All replicas are of the newest revision and ready."""
    status, spec = status_of(obj), obj.get("spec") or {}
    wanted = spec.get("replicas", 1)
    if unobserved(obj):
        return "its controller has not seen it yet"
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    if strategy.get("type") != "OnDelete" and status.get("currentRevision") != status.get("updateRevision"):
        updated, needed = status.get("updatedReplicas", 0), max(wanted - partition, 0)
        if updated < needed:
            return f"{updated} of {needed} replicas are updated"
    count = status.get("availableReplicas", status.get("readyReplicas", 0))
    return f"{count} of {wanted} replicas are ready" if count < wanted else ""


def daemon_set(obj: Object) -> str:
    """Each node that shall run a pod runs one of the newest form."""
    status = status_of(obj)
    if unobserved(obj):
        return "its controller has not seen it yet"
    wanted = status.get("desiredNumberScheduled", 0)
    on_delete = ((obj.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    updated = wanted if on_delete else status.get("updatedNumberScheduled", 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are updated"
    available = status.get("numberAvailable", 0)
    return f"{available} of {wanted} pods are available" if available < wanted else ""


def job(obj: Object) -> str:
    """It has completed, or is suspended on purpose."""
    if condition(obj, "Failed").get("status") == "True":
        return f"{FAILED}{said(condition(obj, 'Failed'))}"
    if condition(obj, "Complete").get("status") == "True" or (obj.get("spec") or {}).get("suspend"):
        return ""
    status = status_of(obj)
    return f"{status.get('active', 0)} active, {status.get('succeeded', 0)} succeeded, {status.get('failed', 0)} failed"


def pod(obj: Object) -> str:
    """It runs and is ready, or has ended well."""
    phase = status_of(obj).get("phase", "Pending")
    if phase == "Succeeded":
        return ""
    if phase == "Failed":
        return f"{FAILED}the pod failed {status_of(obj).get('reason', '')}".strip()
    ready = condition(obj, "Ready")
    return "" if ready.get("status") == "True" else f"phase {phase}, {said(ready) if ready else 'not ready'}"


def claim(obj: Object) -> str:
    """It is bound."""
    phase = status_of(obj).get("phase", "Pending")
    return f"{FAILED}its volume is lost" if phase == "Lost" else "" if phase == "Bound" else f"phase {phase}"


def crd(obj: Object) -> str:
    """Its kind is served."""
    names = condition(obj, "NamesAccepted")
    if names.get("status") == "False":
        return f"{FAILED}{said(names)}"
    return "" if condition(obj, "Established").get("status") == "True" else "it is not established yet"


def service(obj: Object) -> str:
    """A load balancer has an address; other services are ready at once."""
    if (obj.get("spec") or {}).get("type") != "LoadBalancer":
        return ""
    return (
        "" if (status_of(obj).get("loadBalancer") or {}).get("ingress") else "it has no address of a load balancer yet"
    )


def namespace(obj: Object) -> str:
    """It is active."""
    phase = status_of(obj).get("phase", "Active")
    return "" if phase == "Active" else f"phase {phase}"


def api_service(obj: Object) -> str:
    """Its server answers."""
    found = condition(obj, "Available")
    return "" if found.get("status") == "True" else said(found) if found else "it is not available yet"


def ray_service(obj: Object) -> str:
    """The newest form serves, and no upgrade is under way."""
    if unobserved(obj):
        return "its operator has not seen it yet"
    upgrade, ready = condition(obj, "UpgradeInProgress"), condition(obj, "Ready")
    if upgrade.get("status") == "True":
        return f"an upgrade is under way ({said(upgrade)})"
    if ready:
        return "" if ready.get("status") == "True" else said(ready)
    state = status_of(obj).get("serviceStatus", "")
    return "" if state == "Running" else f"service status {state or 'unknown'}"


def ray_cluster(obj: Object) -> str:
    """The head and all workers run."""
    if unobserved(obj):
        return "its operator has not seen it yet"
    state = status_of(obj).get("state", "")
    return (
        f"{FAILED}{status_of(obj).get('reason', '')}"
        if state == "failed"
        else ""
        if state == "ready"
        else f"state {state or 'unknown'}"
    )


def by_conditions(obj: Object) -> str:
    """Any other kind: what its standard conditions say. Without conditions it is ready."""
    status = status_of(obj)
    if "observedGeneration" in status and unobserved(obj):
        return "its controller has not seen it yet"
    for kind in ("Failed", "Stalled"):
        if condition(obj, kind).get("status") == "True":
            return f"{FAILED}{said(condition(obj, kind))}"
    for kind in ("Ready", "Available", "Established", "Succeeded", "Complete"):
        found = condition(obj, kind)
        if found:
            return "" if found.get("status") == "True" else said(found)
    return ""


CHECKS: dict[tuple[str, str], t.Callable[[Object], str]] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("batch", "Job"): job,
    ("", "Pod"): pod,
    ("", "PersistentVolumeClaim"): claim,
    ("", "Service"): service,
    ("", "Namespace"): namespace,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): crd,
    ("apiregistration.k8s.io", "APIService"): api_service,
    ("ray.io", "RayService"): ray_service,
    ("ray.io", "RayCluster"): ray_cluster,
}
# Groups whose other kinds are ready as soon as they exist.
QUIET = frozenset(
    {"", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io"}
    | {"scheduling.k8s.io", "admissionregistration.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "node.k8s.io"}
    | {
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "events.k8s.io",
        "certificates.k8s.io",
        "flowcontrol.apiserver.k8s.io",
    }
)
