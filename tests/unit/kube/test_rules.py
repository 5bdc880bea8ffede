"""Small rules: inventories, pruning, retries, order, options, certificates."""

from __future__ import annotations

import datetime
import re
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.mlops.platform.plugins.module_utils._kube import options
from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import Connection
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import ApiError, KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.execute import step
from ansible_collections.mlops.platform.plugins.module_utils._kube.explain import explained, why_refused
from ansible_collections.mlops.platform.plugins.module_utils._kube.inventory import (
    Inventory,
    Item,
    decode,
    encode,
    fields_hash,
)
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import Key, SetId, key_of, wave
from ansible_collections.mlops.platform.plugins.module_utils._kube.observe import Listing, paths
from ansible_collections.mlops.platform.plugins.module_utils._kube.options import Options
from ansible_collections.mlops.platform.plugins.module_utils._kube.prune import fate, uses
from ansible_collections.mlops.platform.plugins.module_utils._kube.remove import doomed, holders
from ansible_collections.mlops.platform.plugins.module_utils._kube.replace import for_twins_only, twin_name
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import KNOWN
from ansible_collections.mlops.platform.plugins.module_utils._kube.retry import (
    FIRST_CONTACT,
    OUTAGE,
    Contact,
    delay,
    pause,
)
from ansible_collections.mlops.platform.plugins.module_utils._kube.verdict import (
    is_immutable,
    is_undeclared,
    missing_namespace,
    waits_for,
)

Object = dict[str, t.Any]
SET = SetId("ns", "demo")
CONF = Key("", "ConfigMap", "ns", "conf")
CLAIM = Key("", "PersistentVolumeClaim", "ns", "data")
VOLUME = Key("", "PersistentVolume", "", "data")
NAMESPACE = Key("", "Namespace", "", "ns")


def test_an_inventory_survives_its_way_to_the_cluster() -> None:
    stored = Inventory(SET, {CONF: Item("v1", "abc"), Key("apps", "Deployment", "ns", "x"): Item("apps/v1", "")})
    body = encode(stored)
    assert body["metadata"]["name"] == "kube-set-demo"
    body["metadata"]["resourceVersion"] = "7"
    assert decode(body) == Inventory(SET, stored.items, "present", "7")


@pytest.mark.parametrize("text", ["", "not json", "{}", '[["v1", "ConfigMap"]]', "[1]"])
def test_an_inventory_that_was_damaged(text: str) -> None:
    body = encode(Inventory(SET))
    body["data"]["objects"] = text
    if text == "{}":
        assert decode(body).items == {}
        return
    with pytest.raises(KubeError, match="the inventory ConfigMap ns/kube-set-demo cannot be read"):
        decode(body)


def live(label: str = "ns.demo", manager: str = "kube_set.ns.demo", **meta: t.Any) -> Object:
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": {"f:data": {}}}
    return {"metadata": {"labels": {"mlops.platform/set": label}, "managedFields": [entry], **meta}}


def test_the_hash_of_the_owned_fields() -> None:
    changed = live()
    changed["metadata"]["managedFields"][0]["fieldsV1"] = {"f:data": {"f:a": {}}}
    assert fields_hash(live(), SET.manager) == fields_hash(live(resourceVersion="2"), SET.manager)
    assert fields_hash(live(), SET.manager) != fields_hash(changed, SET.manager)


CONTROLLED = [{"kind": "Deployment", "name": "x", "controller": True}]
FATES: dict[str, tuple[Key, Object | None, Object, str, bool]] = {
    "ours": (CONF, live(), {}, "", True),
    "gone": (CONF, None, {}, "", False),
    "of another set": (CONF, live("ns.other"), {}, "it belongs to the set ns.other", False),
    "without a label": (CONF, live(labels={}), {}, "it lost the label of the set", False),
    "labelled but not applied by us": (
        CONF,
        live(manager="copy-controller"),
        {},
        "it was not applied by this set",
        False,
    ),
    "owned": (CONF, live(ownerReferences=CONTROLLED), {}, "it is controlled by Deployment x", False),
    "owned by no controller": (CONF, live(ownerReferences=[{"kind": "X", "name": "x"}]), {}, "", True),
    "a claim": (CLAIM, live(), {}, "it holds data", False),
    "a claim with the word": (CLAIM, live(), {"remove_claims": True}, "", True),
    "a volume": (VOLUME, live(), {}, "it holds data", False),
    "a volume at the end": (VOLUME, live(), {"state": "absent", "remove_namespaces": True}, "it holds data", False),
    "a volume with the word": (VOLUME, live(), {"remove_claims": True}, "", True),
    "a volume of another set with the word": (
        VOLUME,
        live("ns.other"),
        {"remove_claims": True},
        "it belongs to the set ns.other",
        False,
    ),
    "a namespace": (NAMESPACE, live(labels={}), {"remove_namespaces": True}, "namespaces are never pruned", False),
    "a namespace at the end": (NAMESPACE, live(labels={}), {"state": "absent"}, "it is a namespace", False),
    "a namespace at the end with the word": (
        NAMESPACE,
        live(labels={}),
        {"state": "absent", "remove_namespaces": True},
        "",
        True,
    ),
    "a namespace that somebody else made": (
        NAMESPACE,
        live(manager="kubectl"),
        {"state": "absent", "remove_namespaces": True},
        "it was not applied by this set",
        False,
    ),
}


@pytest.mark.parametrize("case", FATES)
def test_what_may_be_removed(case: str) -> None:
    key, obj, given, reason, goes = FATES[case]
    found = fate(key, obj, Options(set_id=SET, **given))
    assert found.goes is goes
    assert found.kept.startswith(reason) if reason else not found.kept


@pytest.mark.parametrize(
    ("other", "state", "expected"),
    [
        ({CONF: Item("v1", "")}, "present", True),
        ({Key("", "ConfigMap", "other", "x"): Item("v1", "")}, "present", False),
        ({NAMESPACE: Item("v1", "")}, "present", True),
        ({NAMESPACE: Item("v1", "")}, "absent", False),
        ({CLAIM: Item("v1", "")}, "absent", True),
    ],
)
def test_who_uses_a_namespace(other: dict[Key, Item], state: str, expected: bool) -> None:
    assert uses(Inventory(SetId("elsewhere", "x"), other, state), "ns") is expected


def error(status: int, message: str = "", retry_after: float | None = None, **fields: t.Any) -> ApiError:
    return ApiError(status, {"message": message, **fields}, retry_after)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (error(429, retry_after=3), 3.0),
        (error(429, retry_after=99), 30.0),
        (error(503), pause(0)),
        (error(500, "etcdserver: request timed out"), pause(0)),
        (error(500, "failed calling webhook x"), pause(0)),
        (error(500, "failed to create typed patch object: etcdserver: "), None),
        (error(500, "anything else"), pause(0)),
        (error(403), None),
        (error(404), None),
        (error(422), None),
        (error(409, reason="AlreadyExists"), pause(0)),
        (ConnectionResetError(), pause(0)),
        (TimeoutError(), pause(0)),
    ],
)
def test_what_is_tried_again(fault: Exception, expected: float | None) -> None:
    assert delay(fault, 0, 0.0, Contact(answered=True), now=1e9) == expected


def test_a_fault_without_a_known_cause_is_tried_three_times_more() -> None:
    """A load balancer answers 500 with a page of its own, or with nothing."""
    for fault in (ApiError(500, ""), ApiError(500, "<html>oops</html>")):
        waits = [delay(fault, attempt, 0.0, Contact(answered=True), 1e9) for attempt in range(4)]
        assert waits == [pause(0), pause(1), pause(2), None]


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_was_away_for_long_may_know_nobody_for_a_moment(status: int) -> None:
    contact = Contact(answered=True, last_fault=100.0)
    assert delay(error(status), 20, 60.0, contact, now=101.0) == 1.0
    assert delay(error(status), 20, 60.0, contact, now=111.0) is None


def test_how_long_it_is_tried() -> None:
    reset = ConnectionResetError()
    assert delay(reset, 0, FIRST_CONTACT, Contact(), 1e9) is None
    assert delay(reset, 0, FIRST_CONTACT, Contact(answered=True), 1e9) is not None
    assert delay(reset, 0, OUTAGE, Contact(answered=True), 1e9) is None
    assert delay(error(500, "failed calling webhook x"), 0, 0.0, Contact(answered=True), 1e9, dry_run=True) is None
    assert pause(0) < pause(3) < pause(30) == pause(31)


CONFLICT = {
    "reason": "Conflict",
    "details": {
        "causes": [
            {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".spec.a"},
            {"reason": "FieldManagerConflict", "message": 'conflict with "x" using apps/v1', "field": ".spec.b"},
        ]
    },
}


def test_conflicts_name_the_other_manager() -> None:
    found = error(409, "conflicts", **CONFLICT)
    assert [tuple(item) for item in found.conflicts] == [("helm", "Apply", ".spec.a"), ("x", "Update", ".spec.b")]
    assert delay(found, 0, 0.0, Contact(answered=True), 1e9) is None


def test_a_missing_permission_is_named() -> None:
    said = 'secrets is forbidden: User "ana" cannot list resource "secrets" in API group "" at the cluster scope'
    assert str(error(403, said)).startswith("missing permission: user ana may not list secrets in API group")
    assert str(error(403, "denied by policy")) == "denied by policy"


def causes(*messages: str) -> Object:
    return {"details": {"causes": [{"message": message, "field": "spec.x"} for message in messages]}}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (error(422, "spec.template: Invalid value: x: field is immutable"), True),
        (error(422, "spec: Forbidden: updates to statefulset spec for fields other than 'x' are forbidden"), True),
        (error(422, "parameters: Forbidden: updates to parameters are forbidden."), True),
        (error(422, "spec.clusterIPs[0]: Invalid value: may not change once set"), True),
        (error(422, "roleRef: Invalid value: x: cannot change roleRef"), True),
        (error(422, "spec.ports: Required value"), False),
        (error(500, "field is immutable"), False),
        (error(422, "x: field is immutable, spec.ports: Required value", **causes("field is immutable")), True),
        (error(422, "x: field is immutable", **causes("field is immutable", "Required value")), False),
    ],
)
def test_immutable(fault: ApiError, expected: bool) -> None:
    assert is_immutable(fault) is expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (error(404, 'namespaces "ns" not found'), True),
        (error(404, 'namespaces "other" not found'), False),
        (error(404, "the server could not find the requested resource"), False),
        (error(404, "404 page not found"), False),
        (error(403, 'error looking up service account ns/robot: serviceaccount "robot" not found'), True),
        (error(403, 'error looking up service account ns/robot: serviceaccount "else" not found'), False),
        (error(403, "violates PodSecurity"), False),
        (error(400, "admission webhook x does not support dry run"), True),
        (error(403, "unable to create new content in namespace ns because it is being terminated"), True),
    ],
)
def test_what_the_set_itself_will_bring(fault: ApiError, expected: bool) -> None:
    wanted: dict[Key, Object] = {NAMESPACE: {}, Key("", "ServiceAccount", "ns", "robot"): {}}
    assert waits_for(fault, wanted) is expected


def test_a_kind_that_the_set_itself_will_bring() -> None:
    assert waits_for(error(404, "404 page not found"), {}, new_kind=True)
    assert not waits_for(error(404, 'namespaces "other" not found'), {}, new_kind=True)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (error(500, "failed to create typed patch object (x): .spec.a: field not declared in schema"), True),
        (error(400, 'strict decoding error: unknown field "spec.a"'), True),
        (error(422, "spec.a: Invalid value"), False),
        (error(404, "not found"), False),
    ],
)
def test_a_field_that_the_schema_does_not_have(fault: ApiError, expected: bool) -> None:
    assert is_undeclared(fault) is expected


def test_the_missing_namespace() -> None:
    assert missing_namespace(error(404, 'namespaces "a-b" not found')) == "a-b"
    assert missing_namespace(error(404, 'pods "x" not found')) == ""


def test_order() -> None:
    kinds = [
        Key("", "Namespace", "", "x"),
        Key("apiextensions.k8s.io", "CustomResourceDefinition", "", "x"),
        Key("", "ConfigMap", "n", "x"),
        Key("storage.k8s.io", "StorageClass", "", "x"),
        Key("apps", "Deployment", "n", "x"),
        Key("batch", "Job", "n", "x"),
        Key("ray.io", "RayService", "n", "x"),
        Key("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", "x"),
    ]
    assert [wave(key) for key in kinds] == [0, 0, 1, 1, 2, 2, 3, 3]
    leaving = sorted([*kinds, CLAIM], key=step, reverse=True)
    names = [key.kind for key in leaving]
    assert names.index("RayService") < names.index("Deployment") < names.index("ConfigMap")
    assert names.index("Deployment") < names.index("PersistentVolumeClaim") < names.index("CustomResourceDefinition")
    assert names[-1] == "Namespace"


def test_keys() -> None:
    found = key_of({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "namespace": "n"}})
    assert found == key_of({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "x", "namespace": "n"}})
    assert (str(found), str(NAMESPACE)) == ("Deployment n/x", "Namespace ns")


@pytest.mark.parametrize(
    ("kind", "namespaces", "expected"),
    [
        (("v1", "ConfigMap"), ("a",), ["/api/v1/namespaces/a/configmaps"]),
        (("v1", "ConfigMap"), ("a", "b"), ["/api/v1/namespaces/a/configmaps", "/api/v1/namespaces/b/configmaps"]),
        (("v1", "ConfigMap"), ("a", "b", "c"), ["/api/v1/configmaps"]),
        (("apps/v1", "Deployment"), ("a",), ["/apis/apps/v1/namespaces/a/deployments"]),
        (("storage.k8s.io/v1", "StorageClass"), ("",), ["/apis/storage.k8s.io/v1/storageclasses"]),
    ],
)
def test_what_is_listed(kind: tuple[str, str], namespaces: tuple[str, ...], expected: list[str]) -> None:
    assert paths(Listing(KNOWN[kind], namespaces)) == expected


@pytest.mark.parametrize(
    ("namespace", "name", "message"),
    [
        ("ns", "Big", "name 'Big'"),
        ("a_b", "x", "namespace 'a_b'"),
        ("ns", "", "name ''"),
        ("n" * 40, "x" * 40, "together"),
    ],
)
def test_names_of_sets(namespace: str, name: str, message: str) -> None:
    with pytest.raises(KubeError, match=message):
        options.set_id(namespace, name)


@pytest.mark.parametrize("field", ["", "metadata.labels", "status", "kind", "spec..x", "spec.list[0]"])
def test_fields_that_cannot_be_given_once(field: str) -> None:
    with pytest.raises(KubeError, match="not_owned"):
        options.not_owned([{"kind": "X", "name": "x", "field": field}], "ns")


def test_fields_that_are_given_once() -> None:
    found = options.not_owned([{"kind": "RayService", "name": "x", "field": ".spec.serveConfigV2"}], "ns")
    assert [tuple(item) for item in found] == [("RayService", "x", "ns", ("spec", "serveConfigV2"))]


@pytest.mark.parametrize(
    ("entry", "used"),
    [
        ({"kind": "ConfigMap", "name": "conf"}, True),
        ({"kind": "ConfigMap", "name": "conf", "namespace": "ns"}, True),
        ({"kind": "Namespace", "name": "ns", "namespace": "any"}, True),
        ({"kind": "ConfigMap", "name": "cnof"}, False),
        ({"kind": "Configmap", "name": "conf"}, False),
        ({"kind": "ConfigMap", "name": "conf", "namespace": "other"}, False),
    ],
)
def test_a_field_of_an_object_that_the_set_does_not_have(entry: Object, used: bool) -> None:
    given = options.not_owned([{**entry, "field": "data.a"}, {"kind": "Namespace", "name": "ns", "field": "x"}], "ns")
    if used:
        options.refuse_unused(given, (CONF, NAMESPACE))
        return
    with pytest.raises(KubeError) as caught:
        options.refuse_unused(given, (CONF, NAMESPACE))
    said = f"{entry['kind']} {entry.get('namespace', 'ns')}/{entry['name']} (data.a)"
    assert str(caught.value) == f"not_owned: the set has no {said}: correct kind, name or namespace"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (error(422, "spec.ports[0].nodePort: Invalid value: 30000: provided port is already allocated"), True),
        (error(403, "exceeded quota: small, requested: count/jobs=1, used: 1, limited: 1"), True),
        (error(422, "x", details={"causes": [{"field": "metadata.name", "message": "must be default"}]}), True),
        (error(422, "x", details={"causes": [{"field": "", "message": f"{twin_name('web')} is no good name"}]}), True),
        (error(422, "spec.replicas: Invalid value: -1", **causes("Invalid value: -1")), False),
        (error(403, 'x is forbidden: User "ana" cannot patch resource "jobs" in API group "batch"'), True),
        (error(403, "violates PodSecurity"), False),
    ],
)
def test_what_stands_against_a_twin_only(fault: ApiError, expected: bool) -> None:
    assert for_twins_only(fault, twin_name("web")) is expected


@pytest.mark.parametrize("name", ["web", "x" * 63, "a." * 31 + "a", "x" * 250])
def test_the_name_of_a_twin(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?", twin_name(name))
    assert len(twin_name(name)) <= 63
    assert twin_name(name) != name


def test_what_holds_an_object() -> None:
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "x", "uid": "1"},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"conditions": [{"type": "NamespaceContentRemaining", "status": "True", "message": "1 pod left"}]},
    }
    text = holders(obj, doomed("/api/v1/namespaces/x", obj))
    assert text.startswith("Namespace x was deleted but is held by the finalizer kubernetes (namespace)")
    assert text.endswith("NamespaceContentRemaining: 1 pod left")


def certificate(days: int) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ana")])
    begin = datetime.datetime(2020, 1, 1)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    )
    made = builder.not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=days))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (
            Connection("https://x", client_cert=certificate(366), client_key="k"),
            "the client certificate expired on 2021-01-01",
        ),
        (Connection("https://x", client_cert=certificate(36600), client_key="k"), "the client certificate is wrong"),
        (Connection("https://x", client_cert="not a certificate", client_key="k"), "the client certificate is wrong"),
        (Connection("https://x", token="t"), "the token is wrong, expired or of another cluster"),
    ],
)
def test_why_credentials_are_refused(connection: Connection, expected: str) -> None:
    assert why_refused(connection).startswith(expected)


def test_faults_in_words() -> None:
    connection = Connection("https://x")
    assert "does not answer in time" in str(explained(TimeoutError(), connection))
    assert "cannot be reached: no route" in str(explained(OSError("no route"), connection))
