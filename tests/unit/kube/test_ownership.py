"""Who owns a field that the set wants otherwise."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.ownership import (
    Contest,
    contests,
    is_controllers,
    is_rival,
    is_scaled,
    only,
    owners,
    shown,
    value_at,
    without,
)

Object = dict[str, t.Any]
MANAGER = "kube_set.ns.demo"


def entry(manager: str, fields: Object, operation: str = "Update", subresource: str = "") -> Object:
    found: Object = {"manager": manager, "operation": operation, "fieldsV1": fields}
    return {**found, "subresource": subresource} if subresource else found


def live(*entries: Object, **content: t.Any) -> Object:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "managedFields": list(entries)}, **content}


CONTAINER = 'k:{"name":"c"}'
CONTAINER_STEP = (("name", "c"),)


@pytest.mark.parametrize(
    ("wanted", "have", "fields"),
    [
        ({"a": 1}, live(entry("x", {"f:a": {}}), a=2), ["a"]),
        ({"a": 1}, live(entry("x", {"f:a": {}}), a=1), []),
        ({"a": 1}, live(entry("x", {"f:b": {}}), a=2, b=1), []),
        ({"a": 1}, live(entry(MANAGER, {"f:a": {}}, "Apply"), a=2), []),
        ({"a": {"b": 1, "c": 2}}, live(entry("x", {"f:a": {"f:b": {}, "f:c": {}}}), a={"b": 1, "c": 3}), ["a.c"]),
        (
            {"list": [{"name": "c", "image": "one"}]},
            live(entry("x", {"f:list": {CONTAINER: {"f:image": {}}}}), list=[{"name": "c", "image": "two"}]),
            ["list[name=c].image"],
        ),
        ({"a": "1000m"}, live(entry("x", {"f:a": {}}), a="1"), ["a"]),
        # The server compares to the letter: these would be its conflicts.
        (
            {"emptyDir": {"sizeLimit": "1024Mi"}},
            live(entry("x", {"f:emptyDir": {"f:sizeLimit": {}}}), emptyDir={"sizeLimit": "1Gi"}),
            ["emptyDir.sizeLimit"],
        ),
        (
            {"ports": [{"port": 80}]},
            live(entry("x", {"f:ports": {}}), ports=[{"port": 80, "protocol": "TCP"}]),
            ["ports"],
        ),
        ({"status": 1}, live(entry("x", {"f:status": {}}, subresource="status"), status=2), ["status"]),
    ],
)
def test_contests(wanted: Object, have: Object, fields: list[str]) -> None:
    assert [contest.field for contest in contests(wanted, have, MANAGER)] == fields


@pytest.mark.parametrize(
    ("manager", "operation", "subresource", "controller", "rival"),
    [
        ("kube-controller-manager", "Update", "scale", True, False),
        ("kubectl", "Update", "scale", False, False),
        ("kubectl-edit", "Update", "", False, False),
        ("kubectl", "Apply", "", False, False),
        ("argocd-application-controller", "Apply", "", False, True),
        ("listed", "Apply", "", True, True),
        ("helm", "Apply", "", False, True),
        ("helm", "Update", "", False, False),
        ("ray-operator", "Update", "", True, False),
        ("cluster-autoscaler", "Update", "", True, False),
        ("kubelet", "Update", "", True, False),
        ("listed", "Update", "", True, False),
        ("OpenAPI-Generator", "Update", "", False, False),
    ],
)
def test_who_is_who(manager: str, operation: str, subresource: str, controller: bool, rival: bool) -> None:
    contest = Contest(("a",), manager, operation, subresource, 1, 2)
    assert (is_controllers(contest, ["listed"]), is_rival(contest)) == (controller, rival)


def test_only_kubernetes_itself_scales_for_an_autoscaler() -> None:
    assert is_scaled(Contest(("spec", "replicas"), "kube-controller-manager", "Update", "scale", 1, 2))
    assert not is_scaled(Contest(("spec", "replicas"), "keda-operator", "Update", "scale", 1, 2))


def test_without() -> None:
    obj = {"spec": {"a": 1, "list": [{"name": "c", "x": 1, "y": 2}, {"name": "d", "x": 3}]}}
    assert without(obj, ("spec", "a")) == {"spec": {"list": obj["spec"]["list"]}}
    found = without(obj, ("spec", "list", CONTAINER_STEP, "x"))
    assert found["spec"]["list"] == [{"name": "c", "y": 2}, {"name": "d", "x": 3}]
    assert without(obj, ("spec", "list", CONTAINER_STEP))["spec"]["list"] == [{"name": "d", "x": 3}]
    assert without(obj, ("spec", "none", "below")) == obj
    assert obj["spec"]["list"][0] == {"name": "c", "x": 1, "y": 2}, "the object itself stays as it is"


def test_paths() -> None:
    obj = {"spec": {"list": [{"name": "c", "x": 1}]}}
    assert value_at(obj, ("spec", "list", CONTAINER_STEP, "x")) == 1
    assert value_at(obj, ("spec", "none", "x")) is None
    assert shown(("spec", "list", CONTAINER_STEP, "x")) == "spec.list[name=c].x"


def test_owners_of_a_field() -> None:
    have = live(
        entry(MANAGER, {"f:spec": {"f:a": {}}}, "Apply"), entry("x", {"f:spec": {"f:a": {"f:b": {}}, "f:c": {}}})
    )
    assert owners(have, ("spec", "a")) == [(MANAGER, "Apply"), ("x", "Update")]
    assert owners(have, ("spec", "c")) == [("x", "Update")]
    assert owners(have, ("spec", "d")) == []


def test_an_object_with_one_field() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "x", "namespace": "ns", "uid": "1"},
        "spec": {"a": 1, "b": 2},
    }
    assert only(obj, ("spec", "deep", "a"), 7) == {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "x", "namespace": "ns"},
        "spec": {"deep": {"a": 7}},
    }
