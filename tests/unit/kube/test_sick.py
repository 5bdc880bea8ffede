"""Pods that cannot get well, and to whom they belong."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import Key
from ansible_collections.mlops.platform.plugins.module_utils._kube.sick import (
    all_probed,
    belongs,
    is_stuck,
    selects,
    sickness,
)

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
        (owned("RayCluster", "models-abcde"), Key("ray.io", "RayService", "ns", "models"), {}, True),
        (owned("RayCluster", "others-abcde"), Key("ray.io", "RayService", "ns", "models"), {}, False),
        (owned("RayCluster", "models"), Key("ray.io", "RayCluster", "ns", "models"), {}, True),
    ],
)
def test_whose_pod_it_is(item: Object, key: Key, workload: Object, found: bool) -> None:
    assert belongs(item, key, workload) is found


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
