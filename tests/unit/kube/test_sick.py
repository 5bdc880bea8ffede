"""Pods that cannot get well, and to whom they belong."""

from __future__ import annotations

import datetime
import typing as t

import pytest
import yaml

from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import Key
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import Resources
from ansible_collections.mlops.platform.plugins.module_utils._kube.revision import (
    Revisions,
    newest_of_daemon_set,
    newest_of_deployment,
)
from ansible_collections.mlops.platform.plugins.module_utils._kube.sick import (
    all_probed,
    belongs,
    event_age,
    is_stuck,
    selects,
    sickness,
)

from .fake_api import Fault, Server

Object = dict[str, t.Any]


def pod(status: str, **meta: t.Any) -> Object:
    return {"metadata": {"name": "p", "namespace": "ns", **meta}, "status": yaml.safe_load(status) or {}}


@pytest.mark.parametrize(
    ("status", "mount", "reason"),
    [
        (
            "containerStatuses: [{name: c, state: {waiting: {reason: ImagePullBackOff, message: no such image}}}]",
            "",
            "no such image",
        ),
        ("containerStatuses: [{name: c, state: {waiting: {reason: ErrImagePull}}}]", "", "container c: ErrImagePull"),
        (
            "containerStatuses: [{name: c, state: {waiting: {reason: CrashLoopBackOff}},"
            " lastState: {terminated: {exitCode: 3}}}]",
            "",
            "CrashLoopBackOff, exit code 3",
        ),
        (
            "initContainerStatuses: [{name: i, state: {waiting: {reason: CreateContainerConfigError}}}]",
            "",
            "container i",
        ),
        (
            "containerStatuses: [{name: c, restartCount: 2, state: {terminated: {exitCode: 1}}}]",
            "",
            "it ended again, exit code 1",
        ),
        (
            "conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: 0/1 nodes}]",
            "",
            "0/1 nodes",
        ),
        (
            "containerStatuses: [{name: c, state: {waiting: {reason: ContainerCreating}}}]",
            "no secret",
            "mount failed: no secret",
        ),
    ],
)
def test_sick(status: str, mount: str, reason: str) -> None:
    assert reason in sickness(pod(status), mount)


@pytest.mark.parametrize(
    ("status", "mount"),
    [
        ("", ""),
        ("containerStatuses: [{name: c, state: {waiting: {reason: ContainerCreating}}}]", ""),
        ("containerStatuses: [{name: c, state: {running: {}}}]", "an old mount failure"),
        ("containerStatuses: [{name: c, restartCount: 1, state: {terminated: {exitCode: 1}}}]", ""),
        ("containerStatuses: [{name: c, restartCount: 5, state: {terminated: {exitCode: 0}}}]", ""),
        ("phase: Succeeded", "x"),
        (
            "{conditions: [{type: PodReadyToStartContainers, status: 'True'}],"
            " containerStatuses: [{name: c, state: {waiting: {reason: ContainerCreating}}}]}",
            "a mount that failed before, while a large image is pulled",
        ),
        (
            "conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable,"
            " message: 'pod has unbound immediate PersistentVolumeClaims'}]",
            "",
        ),
        ("conditions: [{type: PodScheduled, status: 'False', reason: SchedulingGated}]", ""),
    ],
)
def test_not_sick(status: str, mount: str) -> None:
    assert sickness(pod(status), mount) == ""


def test_a_pod_that_goes_away_is_not_sick() -> None:
    status = "containerStatuses: [{name: c, state: {waiting: {reason: CrashLoopBackOff}}}]"
    assert sickness(pod(status, deletionTimestamp="now")) == ""


@pytest.mark.parametrize(
    ("selector", "labels", "found"),
    [
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({}, {"a": "1"}, True),
    ],
)
def test_selectors(selector: Object, labels: dict[str, str], found: bool) -> None:
    assert selects(selector, labels) is found


def owned(kind: str, name: str = "x-1", **meta: t.Any) -> Object:
    owner = {"kind": kind, "name": name, "controller": True}
    return pod("", ownerReferences=[owner], labels={"app": "x"}, **meta)


def service(active: str, pending: str = "", generation: int = 1) -> Object:
    """A RayService whose operator has seen its first form."""
    status = {
        "observedGeneration": 1,
        "activeServiceStatus": {"rayClusterName": active},
        "pendingServiceStatus": {"rayClusterName": pending},
    }
    return {"metadata": {"generation": generation}, "status": status}


SELECTED = {"spec": {"selector": {"matchLabels": {"app": "x"}}}}


@pytest.mark.parametrize(
    ("item", "key", "workload", "found"),
    [
        (owned("ReplicaSet"), Key("apps", "Deployment", "ns", "x"), SELECTED, True),
        (owned("StatefulSet"), Key("apps", "StatefulSet", "ns", "x"), SELECTED, True),
        (owned("StatefulSet"), Key("apps", "Deployment", "ns", "x"), SELECTED, False),
        (owned("ReplicaSet"), Key("apps", "Deployment", "other", "x"), SELECTED, False),
        (owned("ReplicaSet"), Key("apps", "Deployment", "ns", "x"), {"spec": {}}, False),
        (owned("Job"), Key("batch", "Job", "ns", "x"), SELECTED, True),
        (pod("", labels={"app": "x"}), Key("apps", "Deployment", "ns", "x"), SELECTED, False),
        (pod(""), Key("", "Pod", "ns", "p"), {}, True),
        (owned("RayCluster", "ray-two-a"), Key("ray.io", "RayService", "ns", "ray"), service("ray-b"), False),
        (owned("RayCluster", "ray-b"), Key("ray.io", "RayService", "ns", "ray"), service("ray-b"), True),
        (owned("RayCluster", "ray-b"), Key("ray.io", "RayService", "ns", "ray"), service("ray-b", "ray-c"), False),
        (owned("RayCluster", "ray-c"), Key("ray.io", "RayService", "ns", "ray"), service("ray-b", "ray-c"), True),
        (owned("RayCluster", "ray-c"), Key("ray.io", "RayService", "ns", "ray"), service("", "ray-c"), True),
        (owned("RayCluster", "ray-b"), Key("ray.io", "RayService", "ns", "ray"), service("ray-b", generation=2), False),
        (owned("RayCluster", "models"), Key("ray.io", "RayCluster", "ns", "models"), {}, True),
    ],
)
def test_whose_pod_it_is(item: Object, key: Key, workload: Object, found: bool) -> None:
    assert belongs(item, key, workload) is found


NOW = datetime.datetime(2026, 1, 1, 0, 1, tzinfo=datetime.timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("event", "age"),
    [
        ({"lastTimestamp": "2026-01-01T00:00:00Z"}, 60.0),
        ({"lastTimestamp": None, "eventTime": "2026-01-01T00:00:30.500000Z"}, 29.5),
        ({"series": {"lastObservedTime": "2026-01-01T00:00:59Z"}, "eventTime": "2026-01-01T00:00:00Z"}, 1.0),
        ({"lastTimestamp": "2026-01-01T00:09:00Z"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_age_of_an_event(event: Object, age: float) -> None:
    assert event_age(event, NOW) == age


def form(name: str, uid: str, number: int) -> Object:
    """A ReplicaSet or ControllerRevision."""
    meta = {
        "name": name,
        "ownerReferences": [{"uid": uid, "controller": True}],
        "annotations": {"deployment.kubernetes.io/revision": str(number)},
        "labels": {"pod-template-hash": name, "controller-revision-hash": name},
    }
    return {"metadata": meta, "revision": number}


def test_the_newest_form_is_that_of_the_highest_number() -> None:
    forms = [form("old", "u", 9), form("new", "u", 10), form("older", "u", 8)]
    assert newest_of_deployment(forms) == ("pod-template-hash", "new")
    assert newest_of_daemon_set(forms) == ("controller-revision-hash", "new")
    assert newest_of_deployment([]) == ("pod-template-hash", "")


@pytest.mark.parametrize(("kind", "plural"), [("Deployment", "replicasets"), ("DaemonSet", "controllerrevisions")])
def test_whose_pods_are_outdated(server: Server, client: Client, kind: str, plural: str) -> None:
    for name, uid, number in (("old", "u", 1), ("new", "u", 2), ("other", "x", 3)):
        server.store.save(f"/apis/apps/v1/namespaces/ns/{plural}/{name}", form(name, uid, number), "ADDED")
    workload: Object = {"metadata": {"uid": "u", "generation": 2}, "status": {"observedGeneration": 2}}
    labels = {name: {"pod-template-hash": name, "controller-revision-hash": name} for name in ("old", "new")}
    key, revisions = Key("apps", kind, "ns", "x"), Revisions(client, Resources(client))
    assert revisions.outdated(pod("", labels=labels["old"]), key, workload)
    assert not revisions.outdated(pod("", labels=labels["new"]), key, workload)
    assert len(server.seen) == 1, "the server is asked once for each form"
    later: Object = {**workload, "metadata": {"uid": "u", "generation": 3}}
    assert revisions.outdated(pod("", labels=labels["new"]), key, later), "its controller has not seen the new form"
    held = {**workload, "spec": {"updateStrategy": {"type": "OnDelete"}}}
    assert not revisions.outdated(pod("", labels=labels["old"]), key, held)


def test_pods_count_where_the_newest_form_may_not_be_read(server: Server, client: Client) -> None:
    server.faults = [Fault("status", "replicasets", 9, 403, {"message": "forbidden"})]
    workload: Object = {"metadata": {"uid": "u", "generation": 2}, "status": {"observedGeneration": 2}}
    found = Revisions(client, Resources(client)).outdated(
        pod("", labels={"pod-template-hash": "a"}), Key("apps", "Deployment", "ns", "x"), workload
    )
    assert not found


def test_a_pod_of_an_old_revision_holds_a_stateful_set() -> None:
    workload = {"kind": "StatefulSet", "status": {"updateRevision": "x-2"}}
    assert is_stuck(pod("", labels={"controller-revision-hash": "x-1"}), workload)
    assert not is_stuck(pod("", labels={"controller-revision-hash": "x-2"}), workload)
    assert not is_stuck(
        pod("", labels={"controller-revision-hash": "x-1"}), {"kind": "DaemonSet", "status": {"updateRevision": "x-2"}}
    )


PROBED = {"name": "a", "readinessProbe": {}}


@pytest.mark.parametrize(
    ("kind", "replicas", "containers", "expected"),
    [
        ("Deployment", 1, [PROBED], True),
        ("Deployment", 1, [PROBED, {"name": "b"}], False),
        ("Deployment", 0, [{"name": "b"}], True),
        ("Job", 1, [{"name": "b"}], True),
    ],
)
def test_what_nothing_probes(kind: str, replicas: int, containers: list[Object], expected: bool) -> None:
    spec = {"replicas": replicas, "template": {"spec": {"containers": containers}}}
    assert all_probed({"kind": kind, "spec": spec}) is expected
