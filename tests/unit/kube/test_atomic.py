"""What counts as equal where nothing but the server's own habits can tell: whole values, defaults and quantities."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.compare import matches

from .test_compare import MANAGER, NAMED, live, wanted

Object = dict[str, t.Any]
CUSTOM = "example.com/v1"
CRD = "apiextensions.k8s.io/v1"
QUANTITIES: dict[str, tuple[Object, Object, bool]] = {
    "a quantity of resources": (
        wanted(spec={"resources": {"limits": {"cpu": "1000m"}}}),
        live(
            {"f:spec": {"f:resources": {"f:limits": {"f:cpu": {}}}}},
            spec={"resources": {"limits": {"cpu": "1"}}},
        ),
        True,
    ),
    "a quantity as a number": (
        wanted(spec={"hard": {"cpu": 1}}),
        live({"f:spec": {"f:hard": {"f:cpu": {}}}}, spec={"hard": {"cpu": "1"}}),
        True,
    ),
    "another quantity": (
        wanted(spec={"hard": {"cpu": 1}}),
        live({"f:spec": {"f:hard": {"f:cpu": {}}}}, spec={"hard": {"cpu": "1m"}}),
        False,
    ),
    "a quantity in a list": (
        wanted(spec={"limits": [{"type": "Container", "max": {"cpu": "1000m"}}]}),
        live({"f:spec": {"f:limits": {}}}, spec={"limits": [{"type": "Container", "max": {"cpu": "1"}}]}),
        True,
    ),
    "the size of a volume": (
        wanted(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1024Mi"}}]),
        live(
            {"f:volumes": {NAMED: {".": {}, "f:name": {}, "f:emptyDir": {"f:sizeLimit": {}}}}},
            volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}],
        ),
        True,
    ),
    "data by the name of a quantity": (
        wanted(data={"sizeLimit": "1Gi"}),
        live({"f:data": {"f:sizeLimit": {}}}, data={"sizeLimit": "1024Mi"}),
        False,
    ),
    "labels by the name of quantities": (
        wanted(metadata={"labels": {"limits": "1.0"}}),
        live({"f:metadata": {"f:labels": {"f:limits": {}}}}, metadata={"labels": {"limits": "1"}}),
        False,
    ),
    "limits of a custom kind": (
        wanted(CUSTOM, spec={"limits": {"version": "1.10"}}),
        live({"f:spec": {"f:limits": {"f:version": {}}}}, CUSTOM, spec={"limits": {"version": "1.1"}}),
        False,
    ),
    "resources of a custom kind, which keeps the form": (
        wanted(CUSTOM, spec={"resources": {"limits": {"version": "1.10"}}}),
        live({"f:spec": {"f:resources": {}}}, CUSTOM, spec={"resources": {"limits": {"version": "1.1"}}}),
        False,
    ),
}
WHOLE: dict[str, tuple[Object, Object, bool]] = {
    # That a whole value is owned does not prove that a field in it was applied.
    "an empty field in a whole value": (
        wanted(tolerations=[{"key": "a", "operator": "Exists", "tolerationSeconds": 0}]),
        live({"f:tolerations": {}}, tolerations=[{"key": "a", "operator": "Exists"}]),
        False,
    ),
    "an empty text in a whole value": (
        wanted(volumeClaimTemplates=[{"spec": {"storageClassName": ""}}]),
        live({"f:volumeClaimTemplates": {}}, volumeClaimTemplates=[{"spec": {}}]),
        False,
    ),
    "an empty selector in a whole value, which selects all": (
        wanted(ingress=[{"from": [{"podSelector": {}, "namespaceSelector": {}}]}]),
        live({"f:ingress": {}}, ingress=[{"from": [{"podSelector": {}}]}]),
        False,
    ),
    "an empty field in a mapping that was applied without any": (
        wanted(spec={"securityContext": {"runAsNonRoot": False}}),
        live({"f:spec": {"f:securityContext": {}}}, spec={"securityContext": {}}),
        False,
    ),
    "what a built-in kind has no place for": (
        wanted(
            rules=[{"verbs": ["get"], "resourceNames": []}],
            selector={"matchLabels": {}},
            tolerations=[{"operator": "Exists", "key": "", "effect": ""}],
            subjects=[{"kind": "ServiceAccount", "name": "x", "apiGroup": ""}],
        ),
        live(
            {"f:rules": {}, "f:selector": {}, "f:tolerations": {}, "f:subjects": {}},
            rules=[{"verbs": ["get"]}],
            selector={},
            tolerations=[{"operator": "Exists"}],
            subjects=[{"kind": "ServiceAccount", "name": "x"}],
        ),
        True,
    ),
    **{
        f"an empty value in a custom kind's whole list: {value!r}": (
            wanted(CUSTOM, groups=[{"name": "a", "labels": value}]),
            live({"f:groups": {}}, CUSTOM, groups=[{"name": "a"}]),
            False,
        )
        for value in (False, 0, "", {}, [])
    },
    "true against one in a custom kind's whole list": (
        wanted(CUSTOM, groups=[{"on": True}]),
        live({"f:groups": {}}, CUSTOM, groups=[{"on": 1}]),
        False,
    ),
    "a worker group with its default": (
        wanted("ray.io/v1", workerGroupSpecs=[{"groupName": "a"}]),
        live({"f:workerGroupSpecs": {}}, "ray.io/v1", workerGroupSpecs=[{"groupName": "a", "numOfHosts": 1}]),
        True,
    ),
    "a worker group with more": (
        wanted("ray.io/v1", workerGroupSpecs=[{"groupName": "a", "template": {"automountServiceAccountToken": False}}]),
        live({"f:workerGroupSpecs": {}}, "ray.io/v1", workerGroupSpecs=[{"groupName": "a", "template": {}}]),
        False,
    ),
    "the name of a default elsewhere": (
        wanted("ray.io/v1", others=[{"groupName": "a"}]),
        live({"f:others": {}}, "ray.io/v1", others=[{"groupName": "a", "numOfHosts": 1}]),
        False,
    ),
    "a port's default in a built-in kind": (
        wanted(ingress=[{"ports": [{"port": 80}]}]),
        live({"f:ingress": {}}, ingress=[{"ports": [{"port": 80, "protocol": "TCP"}]}]),
        True,
    ),
    "a port's protocol in a custom kind": (
        wanted(CUSTOM, ingress=[{"ports": [{"port": 80}]}]),
        live({"f:ingress": {}}, CUSTOM, ingress=[{"ports": [{"port": 80, "protocol": "TCP"}]}]),
        False,
    ),
    "a version in a custom kind": (
        wanted(CUSTOM, items=[{"kind": "x"}]),
        live({"f:items": {}}, CUSTOM, items=[{"kind": "x", "apiVersion": "v1"}]),
        False,
    ),
    "a label by the name of a default": (
        wanted(nodeSelector={"a": "b"}),
        live({"f:nodeSelector": {}}, nodeSelector={"a": "b", "protocol": "TCP"}),
        False,
    ),
    "a default in the schema of a custom kind": (
        wanted(CRD, versions=[{"default": {"fieldRef": {"fieldPath": "x"}}}]),
        live({"f:versions": {}}, CRD, versions=[{"default": {"fieldRef": {"fieldPath": "x", "apiVersion": "v1"}}}]),
        False,
    ),
}


@pytest.mark.parametrize(("want", "have", "expected"), QUANTITIES.values(), ids=QUANTITIES)
def test_quantities(want: Object, have: Object, expected: bool) -> None:
    assert matches(want, have, MANAGER) is expected


@pytest.mark.parametrize(("want", "have", "expected"), WHOLE.values(), ids=WHOLE)
def test_whole_values(want: Object, have: Object, expected: bool) -> None:
    assert matches(want, have, MANAGER) is expected
