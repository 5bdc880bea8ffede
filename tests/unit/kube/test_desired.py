"""The objects as they are sent."""

from __future__ import annotations

import base64
import copy
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import Connection
from ansible_collections.mlops.platform.plugins.module_utils._kube.desired import desired
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import HASH_ANNOTATION, Key, SetId
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import Resources

Object = dict[str, t.Any]
SET = SetId("ns", "demo")


def obj(kind: str, name: str, api_version: str = "v1", **fields: t.Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **fields.pop("metadata", {})}, **fields}


def made(*objects: Object) -> dict[Key, Object]:
    resources = Resources(Client(Connection("http://127.0.0.1:1")))
    return desired([Document(copy.deepcopy(item), "test") for item in objects], resources, SET)


def only(*objects: Object) -> Object:
    return next(iter(made(*objects).values()))


def test_namespace_and_label() -> None:
    found = only(obj("ConfigMap", "a"))
    assert found["metadata"] == {"name": "a", "namespace": "ns", "labels": {"mlops.platform/set": "ns.demo"}}
    assert only(obj("ConfigMap", "a", metadata={"namespace": "other"}))["metadata"]["namespace"] == "other"
    assert "namespace" not in only(obj("StorageClass", "a", "storage.k8s.io/v1", provisioner="x"))["metadata"]
    mark = {"set.mlops.platform/ns.demo": "true"}
    assert only(obj("Namespace", "a"))["metadata"] == {"name": "a", "annotations": mark}, "sets share namespaces"


def test_what_only_the_server_writes_is_left_out() -> None:
    found = only(
        obj("ConfigMap", "a", metadata={"creationTimestamp": None, "labels": None}, status={"x": 1}, data={"n": None})
    )
    assert found["metadata"].keys() == {"name", "namespace", "labels"}
    assert "status" not in found
    assert found["data"] == {}


def test_string_data_is_data() -> None:
    data = {"a": base64.b64encode(b"old").decode(), "b": base64.b64encode(b"kept").decode()}
    found = only(obj("Secret", "s", stringData={"a": "new"}, data=data))
    assert {name: base64.b64decode(value) for name, value in found["data"].items()} == {"a": b"new", "b": b"kept"}
    assert "stringData" not in found


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([obj("Secret", "s", stringData={"port": 5})], r"stringData\.port is not text: put it in quotes"),
        ([obj("ClusterRole", "r", "rbac.authorization.k8s.io/v1", metadata={"namespace": "x"})], "is cluster-wide"),
        (
            [obj("Role", "r", "rbac.authorization.k8s.io/v1", rules=[{"verbs": ["get", None]}])],
            r"test: Role r: rules\[0\]\.verbs has an empty item",
        ),
        ([obj("ConfigMap", "a"), obj("ConfigMap", "a", metadata={"namespace": "ns"})], "ConfigMap ns/a stands twice"),
    ],
)
def test_refused(objects: list[Object], message: str) -> None:
    with pytest.raises(KubeError, match=message):
        made(*objects)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data": {"pin": 86753090}}, r"Secret s: data\.pin is not text: put it in quotes"),
        ({"data": {"pin": {"value": "86753090"}}}, r"Secret s: data\.pin is not text: put it in quotes"),
        ({"data": {"pin": b"86753090"}}, r"Secret s: data\.pin is not text: put it in quotes"),
        ({"stringData": {"pin": ["86753090"]}}, r"Secret s: stringData\.pin is not text: put it in quotes"),
        ({"data": "86753090"}, r"Secret s: data is no mapping"),
        ({"stringData": ["86753090"]}, r"Secret s: stringData is no mapping"),
    ],
)
def test_a_value_of_a_secret_that_could_not_be_hidden_is_refused_and_not_shown(fields: Object, message: str) -> None:
    with pytest.raises(KubeError, match=message) as caught:
        made(obj("Secret", "s", **fields))
    assert "86753090" not in str(caught.value)


CRD = obj(
    "CustomResourceDefinition",
    "things.example.com",
    "apiextensions.k8s.io/v1",
    spec={
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [{"name": "v1"}],
    },
)


def test_a_kind_of_the_sets_own_crd() -> None:
    found = made(obj("Thing", "one", "example.com/v1"), CRD)
    assert Key("example.com", "Thing", "ns", "one") in found


def workload(kind: str, api_version: str, pod: Object, **meta: t.Any) -> Object:
    return obj(
        kind, "w", api_version, metadata=meta, spec={"template": {"spec": {"containers": [{"name": "c"}], **pod}}}
    )


def hash_of(item: Object) -> str | None:
    annotations = item["spec"]["template"].get("metadata", {}).get("annotations", {})
    return t.cast("str | None", annotations.get(HASH_ANNOTATION))


def hashed(
    pod: Object, *others: Object, kind: str = "Deployment", api_version: str = "apps/v1", **meta: t.Any
) -> str | None:
    found = made(workload(kind, api_version, pod, **meta), *others)
    return hash_of(found[Key(api_version.split("/")[0], kind, "ns", "w")])


CONF = obj("ConfigMap", "conf", data={"a": "1"})
SECRET = obj("Secret", "sec", stringData={"p": "1"})
USES: dict[str, Object] = {
    "environment from a map": {"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "conf"}}]}]},
    "one key of a map": {
        "containers": [
            {"name": "c", "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "a"}}}]}
        ]
    },
    "a volume": {"volumes": [{"name": "v", "configMap": {"name": "conf"}}]},
    "a projected volume": {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "conf"}}]}}]},
    "an init container": {"initContainers": [{"name": "i", "envFrom": [{"configMapRef": {"name": "conf"}}]}]},
}


@pytest.mark.parametrize("use", USES)
def test_the_hash_follows_what_a_pod_uses(use: str) -> None:
    changed = {**CONF, "data": {"a": "2"}}
    assert hashed(USES[use], CONF)
    assert hashed(USES[use], CONF) != hashed(USES[use], changed)
    assert hashed(USES[use], CONF) == hashed(USES[use], CONF, obj("ConfigMap", "unused"))
    assert hashed(USES[use]) is None, "what is not of the set does not count"


def test_the_hash_follows_secrets() -> None:
    pod = {"volumes": [{"name": "v", "secret": {"secretName": "sec"}}]}
    assert hashed(pod, SECRET) != hashed(pod, {**SECRET, "stringData": {"p": "2"}})
    assert hashed({}, SECRET) is None


def test_what_is_left_out_of_the_hash() -> None:
    pod = USES["a volume"]
    live = {**CONF, "metadata": {"name": "conf", "annotations": {"mlops.platform/restart": "false"}}}
    assert hashed(pod, live) is None
    assert hashed(pod, CONF, kind="Job", api_version="batch/v1") is None, "a Job's template cannot change"
    replaced = {"annotations": {"mlops.platform/replace": "true"}}
    assert hashed(pod, CONF, kind="Job", api_version="batch/v1", **replaced)


def test_the_hash_reaches_into_custom_kinds() -> None:
    group = {"template": {"spec": {"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "conf"}}]}]}}}
    thing = obj("Thing", "one", "example.com/v1", spec={"head": group, "workers": [group, {"template": {"spec": {}}}]})
    found = made(thing, CRD, CONF)[Key("example.com", "Thing", "ns", "one")]["spec"]
    assert found["head"]["template"]["metadata"]["annotations"][HASH_ANNOTATION]
    assert found["workers"][0]["template"]["metadata"]["annotations"][HASH_ANNOTATION]
