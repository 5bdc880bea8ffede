"""When an object is ready."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.mlops.platform.plugins.module_utils._kube.ready import FAILED, is_watched, unready

Object = dict[str, t.Any]


def of(kind: str, text: str, api_version: str = "apps/v1", generation: int = 1) -> Object:
    parsed = yaml.safe_load(text) or {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "generation": generation}, **parsed}


def deployment(text: str, generation: int = 1) -> Object:
    return of("Deployment", text, generation=generation)


def stateful(text: str) -> Object:
    return of("StatefulSet", text)


READY = {
    "deployment": deployment(
        "{spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2}}"
    ),
    "deployment without replicas": deployment("{spec: {replicas: 0}, status: {observedGeneration: 1}}"),
    "stateful set": stateful(
        "{spec: {replicas: 1}, status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1,"
        " currentRevision: a, updateRevision: a}}"
    ),
    "stateful set that a partition holds": stateful(
        "{spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}}, status: {observedGeneration: 1,"
        " replicas: 3, updatedReplicas: 1, availableReplicas: 3, currentRevision: a, updateRevision: b}}"
    ),
    "daemon set": of(
        "DaemonSet",
        "{status: {observedGeneration: 1, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1}}",
    ),
    "daemon set without nodes": of("DaemonSet", "{status: {observedGeneration: 1, desiredNumberScheduled: 0}}"),
    "job": of("Job", "{status: {conditions: [{type: Complete, status: 'True'}]}}", "batch/v1"),
    "suspended job": of("Job", "{spec: {suspend: true}}", "batch/v1"),
    "pod": of("Pod", "{status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}", "v1"),
    "pod that has ended": of("Pod", "{status: {phase: Succeeded}}", "v1"),
    "claim": of("PersistentVolumeClaim", "{status: {phase: Bound}}", "v1"),
    "service": of("Service", "{spec: {type: ClusterIP}}", "v1"),
    "load balancer": of(
        "Service", "{spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}}", "v1"
    ),
    "definition": of(
        "CustomResourceDefinition",
        "{status: {conditions: [{type: NamesAccepted, status: 'True'}, {type: Established, status: 'True'}]}}",
        "apiextensions.k8s.io/v1",
    ),
    "ray service": of(
        "RayService",
        "{status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'},"
        " {type: UpgradeInProgress, status: 'False'}]}}",
        "ray.io/v1",
    ),
    "old ray service": of("RayService", "{status: {observedGeneration: 1, serviceStatus: Running}}", "ray.io/v1"),
    "custom": of("Thing", "{status: {conditions: [{type: Ready, status: 'True'}]}}", "example.com/v1"),
    "custom without status": of("Thing", "", "example.com/v1"),
    "configuration": of("ConfigMap", "", "v1"),
    "role": of("Role", "", "rbac.authorization.k8s.io/v1"),
}


@pytest.mark.parametrize("case", READY)
def test_ready(case: str) -> None:
    assert unready(READY[case]) == ""


UNREADY: dict[str, tuple[Object, str]] = {
    "deployment not seen": (deployment("{status: {observedGeneration: 1}}", generation=2), "not seen it yet"),
    "deployment without status": (deployment(""), "not seen it yet"),
    "deployment being updated": (
        deployment("{spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 2, updatedReplicas: 1}}"),
        "1 of 2 replicas are updated",
    ),
    "deployment with old pods": (
        deployment(
            "{spec: {replicas: 1},"
            " status: {observedGeneration: 1, replicas: 2, updatedReplicas: 1, availableReplicas: 2}}"
        ),
        "1 old replicas are left",
    ),
    "deployment not available": (
        deployment("{status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1}}"),
        "0 of 1 replicas are available",
    ),
    "stateful set being updated": (
        stateful(
            "{spec: {replicas: 1}, status: {observedGeneration: 1, replicas: 1, availableReplicas: 1,"
            " currentRevision: a, updateRevision: b}}"
        ),
        "0 of 1 replicas are updated",
    ),
    "daemon set": (
        of("DaemonSet", "{status: {observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2}}"),
        "0 of 2 pods are available",
    ),
    "running job": (of("Job", "{status: {active: 1}}", "batch/v1"), "1 active, 0 succeeded, 0 failed"),
    "pod": (
        of("Pod", "{status: {phase: Running, conditions: [{type: Ready, status: 'False', reason: NotYet}]}}", "v1"),
        "phase Running, NotYet",
    ),
    "claim": (of("PersistentVolumeClaim", "{status: {phase: Pending}}", "v1"), "phase Pending"),
    "load balancer": (of("Service", "{spec: {type: LoadBalancer}, status: {loadBalancer: {}}}", "v1"), "no address"),
    "definition": (of("CustomResourceDefinition", "", "apiextensions.k8s.io/v1"), "not established yet"),
    "namespace": (of("Namespace", "{status: {phase: Terminating}}", "v1"), "phase Terminating"),
    "api service": (
        of(
            "APIService",
            "{status: {conditions: [{type: Available, status: 'False', reason: Gone}]}}",
            "apiregistration.k8s.io/v1",
        ),
        "Gone",
    ),
    "ray service being upgraded": (
        of(
            "RayService",
            "{status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'},"
            " {type: UpgradeInProgress, status: 'True', reason: BothActive}]}}",
            "ray.io/v1",
        ),
        "an upgrade is under way (BothActive)",
    ),
    "ray service not seen": (of("RayService", "{status: {}}", "ray.io/v1"), "not seen it yet"),
    "ray cluster": (of("RayCluster", "{status: {observedGeneration: 1, state: suspended}}", "ray.io/v1"), "suspended"),
    "custom": (
        of("Thing", "{status: {conditions: [{type: Available, status: Unknown, message: wait}]}}", "example.com/v1"),
        "wait",
    ),
    "custom not seen": (
        of(
            "Thing",
            "{status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}}",
            "example.com/v1",
            2,
        ),
        "not seen it yet",
    ),
}


@pytest.mark.parametrize("case", UNREADY)
def test_unready(case: str) -> None:
    obj, reason = UNREADY[case]
    assert reason in unready(obj)
    assert not unready(obj).startswith(FAILED)


HOPELESS: dict[str, tuple[Object, str]] = {
    "deployment past its deadline": (
        deployment(
            "{status: {observedGeneration: 1, conditions: [{type: Progressing, status: 'False',"
            " reason: ProgressDeadlineExceeded, message: late}]}}"
        ),
        "late",
    ),
    "failed job": (
        of("Job", "{status: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded}]}}", "batch/v1"),
        "BackoffLimitExceeded",
    ),
    "failed pod": (of("Pod", "{status: {phase: Failed, reason: Evicted}}", "v1"), "Evicted"),
    "lost claim": (of("PersistentVolumeClaim", "{status: {phase: Lost}}", "v1"), "lost"),
    "definition with a taken name": (
        of(
            "CustomResourceDefinition",
            "{status: {conditions: [{type: NamesAccepted, status: 'False', message: taken}]}}",
            "apiextensions.k8s.io/v1",
        ),
        "taken",
    ),
    "custom that says so": (
        of("Thing", "{status: {conditions: [{type: Stalled, status: 'True', message: stuck}]}}", "example.com/v1"),
        "stuck",
    ),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_hopeless(case: str) -> None:
    obj, reason = HOPELESS[case]
    assert unready(obj).startswith(FAILED)
    assert reason in unready(obj)


def test_what_is_going_away_is_not_ready() -> None:
    obj = of("ConfigMap", "", "v1")
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert unready(obj) == "it is being deleted"


@pytest.mark.parametrize(
    ("kind", "api_version", "watched"),
    [
        ("Deployment", "apps/v1", True),
        ("ConfigMap", "v1", False),
        ("Thing", "example.com/v1", True),
        ("Role", "rbac.authorization.k8s.io/v1", False),
    ],
)
def test_what_is_watched(kind: str, api_version: str, watched: bool) -> None:
    assert is_watched(of(kind, "", api_version)) is watched
