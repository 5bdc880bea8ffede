"""The comparison that needs no request: it may say no too often, but never yes wrongly."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.compare import matches

MANAGER = "kube_set.ns.demo"
Object = dict[str, t.Any]


def live(fields: Object, api_version: str = "v1", manager: str = MANAGER, **content: t.Any) -> Object:
    entry = {"manager": manager, "operation": "Apply", "apiVersion": api_version, "fieldsV1": fields}
    meta = {"name": "x", "namespace": "ns", "uid": "1", "resourceVersion": "2", "managedFields": [entry]}
    meta.update(content.pop("metadata", {}))
    return {"apiVersion": api_version, "kind": "Any", "metadata": meta, **content}


def wanted(api_version: str = "v1", **content: t.Any) -> Object:
    meta = {"name": "x", "namespace": "ns", **content.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": "Any", "metadata": meta, **content}


PORT = 'k:{"containerPort":80,"protocol":"TCP"}'
NAMED = 'k:{"name":"a"}'
CASES: dict[str, tuple[Object, Object, bool]] = {
    "equal": (wanted(data={"a": "1"}), live({"f:data": {"f:a": {}}}, data={"a": "1"}), True),
    "another value": (wanted(data={"a": "1"}), live({"f:data": {"f:a": {}}}, data={"a": "2"}), False),
    "a foreign key beside it": (
        wanted(data={"a": "1"}),
        live({"f:data": {"f:a": {}}}, data={"a": "1", "foreign": "2"}),
        True,
    ),
    "a mapping that is owned as a whole": (wanted(data={"a": "1"}), live({"f:data": {}}, data={"a": "1"}), True),
    "a key that is not owned": (
        wanted(data={"a": "1", "b": "2"}),
        live({"f:data": {"f:a": {}}}, data={"a": "1", "b": "2"}),
        False,
    ),
    "an owned key that is no longer wanted": (
        wanted(data={"a": "1"}),
        live({"f:data": {"f:a": {}, "f:b": {}}}, data={"a": "1", "b": "2"}),
        False,
    ),
    "applied by somebody else only": (
        wanted(data={"a": "1"}),
        live({"f:data": {"f:a": {}}}, manager="kubectl", data={"a": "1"}),
        False,
    ),
    "applied in another version": (
        wanted("v2", data={"a": "1"}),
        {**live({"f:data": {"f:a": {}}}, data={"a": "1"}), "apiVersion": "v2"},
        False,
    ),
    "labels": (
        wanted(metadata={"labels": {"app": "x"}}),
        live({"f:metadata": {"f:labels": {"f:app": {}}}}, metadata={"labels": {"app": "x", "more": "y"}}),
        True,
    ),
    "text against number": (wanted(spec={"port": "80"}), live({"f:spec": {"f:port": {}}}, spec={"port": 80}), False),
    "true against one": (wanted(spec={"on": True}), live({"f:spec": {"f:on": {}}}, spec={"on": 1}), False),
    "no quantity elsewhere": (
        wanted(data={"cpu": "1000m"}),
        live({"f:data": {"f:cpu": {}}}, data={"cpu": "1"}),
        False,
    ),
    "an empty value that the server leaves out": (
        wanted(spec={"storageClassName": "", "emptyDir": {}, "list": [], "off": False, "none": 0}),
        live(
            {"f:spec": {f"f:{name}": {} for name in ("storageClassName", "emptyDir", "list", "off", "none")}}, spec={}
        ),
        True,
    ),
    "a value that is missing": (wanted(spec={"a": "x"}), live({"f:spec": {"f:a": {}}}, spec={}), False),
    "an item of a list by its name": (
        wanted(list=[{"name": "a", "value": "1"}]),
        live(
            {"f:list": {NAMED: {".": {}, "f:name": {}, "f:value": {}}}},
            list=[{"name": "foreign"}, {"name": "a", "value": "1", "default": "d"}],
        ),
        True,
    ),
    "an item with another value": (
        wanted(list=[{"name": "a", "value": "1"}]),
        live({"f:list": {NAMED: {".": {}, "f:name": {}, "f:value": {}}}}, list=[{"name": "a", "value": "2"}]),
        False,
    ),
    "an item that is no longer wanted": (
        wanted(list=[{"name": "a"}]),
        live(
            {"f:list": {NAMED: {".": {}, "f:name": {}}, 'k:{"name":"b"}': {".": {}, "f:name": {}}}},
            list=[{"name": "a"}, {"name": "b"}],
        ),
        False,
    ),
    "an item whose key has a default": (
        wanted(ports=[{"containerPort": 80}]),
        live({"f:ports": {PORT: {".": {}, "f:containerPort": {}}}}, ports=[{"containerPort": 80, "protocol": "TCP"}]),
        True,
    ),
    "two items that differ in a defaulted key": (
        wanted(ports=[{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]),
        live(
            {
                "f:ports": {
                    PORT: {".": {}, "f:containerPort": {}},
                    'k:{"containerPort":80,"protocol":"UDP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}},
                }
            },
            ports=[{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}],
        ),
        True,
    ),
    "an item that somebody took out": (
        wanted(list=[{"name": "a"}]),
        live({"f:list": {NAMED: {".": {}, "f:name": {}}}}, list=[]),
        False,
    ),
    "a list that is a set": (
        wanted(metadata={"finalizers": ["x", "y"]}),
        live({"f:metadata": {"f:finalizers": {'v:"x"': {}, 'v:"y"': {}}}}, metadata={"finalizers": ["x", "z", "y"]}),
        True,
    ),
    "items in another order": (
        wanted(list=[{"name": "b"}, {"name": "a"}]),
        live(
            {"f:list": {NAMED: {".": {}, "f:name": {}}, 'k:{"name":"b"}': {".": {}, "f:name": {}}}},
            list=[{"name": "a"}, {"name": "b"}],
        ),
        False,
    ),
    "items in order with a foreign one between": (
        wanted(list=[{"name": "b"}, {"name": "a"}]),
        live(
            {"f:list": {NAMED: {".": {}, "f:name": {}}, 'k:{"name":"b"}': {".": {}, "f:name": {}}}},
            list=[{"name": "b"}, {"name": "foreign"}, {"name": "a"}],
        ),
        True,
    ),
    "a set with another member": (
        wanted(metadata={"finalizers": ["x", "z"]}),
        live({"f:metadata": {"f:finalizers": {'v:"x"': {}, 'v:"y"': {}}}}, metadata={"finalizers": ["x", "y"]}),
        False,
    ),
    "a whole list": (wanted(args=["a", "b"]), live({"f:args": {}}, args=["a", "b"]), True),
    "a whole list in another order": (wanted(args=["a", "b"]), live({"f:args": {}}, args=["b", "a"]), False),
    "a whole list that grew": (wanted(args=["a"]), live({"f:args": {}}, args=["a", "b"]), False),
    "a whole value with a known default": (
        wanted(fieldRef={"fieldPath": "x"}),
        live({"f:fieldRef": {}}, fieldRef={"fieldPath": "x", "apiVersion": "v1"}),
        True,
    ),
    "a whole value with more in it": (
        wanted(rules=[{"verbs": ["get"]}]),
        live({"f:rules": {}}, rules=[{"verbs": ["get"], "resourceNames": ["x"]}]),
        False,
    ),
    "a whole value with less in it": (
        wanted(rules=[{"verbs": ["get"], "resourceNames": ["x"]}]),
        live({"f:rules": {}}, rules=[{"verbs": ["get"]}]),
        False,
    ),
    "a mapping that became a text": (
        wanted(spec={"a": {"b": "c"}}),
        live({"f:spec": {"f:a": {"f:b": {}}}}, spec={"a": "b"}),
        False,
    ),
    "an empty mapping over a full one": (
        wanted(spec={"a": {}}),
        live({"f:spec": {"f:a": {"f:b": {}}}}, spec={"a": {"b": "c"}}),
        False,
    ),
    "a policy's matching with its defaults": (
        wanted(matchConstraints={"resourceRules": []}),
        live(
            {"f:matchConstraints": {}},
            matchConstraints={
                "resourceRules": [],
                "namespaceSelector": {},
                "objectSelector": {},
                "matchPolicy": "Equivalent",
            },
        ),
        True,
    ),
    "a peer that selects all": (
        wanted(ingress=[{"from": [{}]}]),
        live({"f:ingress": {}}, ingress=[{"from": [{"namespaceSelector": {}}]}]),
        False,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_matches(case: str) -> None:
    want, have, expected = CASES[case]
    assert matches(want, have, MANAGER) is expected


def test_nothing_is_changed_by_looking() -> None:
    for want, have, _expected in CASES.values():
        before = copy.deepcopy((want, have))
        matches(want, have, MANAGER)
        assert (want, have) == before
