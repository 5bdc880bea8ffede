"""What a run does with immutable fields, missing things, order and refusals."""

from __future__ import annotations

import copy
import re
import threading
import typing as t

import pytest
from e2e.kube_set.kinds import before, merged
from e2e.kube_set.support import MERGE, Object, Space, failed_status, writes

from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import HASH_ANNOTATION
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import Resource

KEEPER: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keeper"}}


def templates(size: str) -> Object:
    """A StatefulSet's claims of this size."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}}


# By kind; after a comma stands which of its fields.
IMMUTABLE: dict[str, Object] = {
    "Job": {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}},
    "StatefulSet": {"spec": {"podManagementPolicy": "Parallel"}},
    "StatefulSet, its claims": templates("2Mi"),
    "StatefulSet, claims that it never had": templates("1Mi"),
    "StorageClass": {"parameters": {"share": "/other"}},
    "Service": {"spec": {"clusterIP": "None"}},
    "Deployment": {
        "spec": {"selector": {"matchLabels": {"more": "yes"}}, "template": {"metadata": {"labels": {"more": "yes"}}}}
    },
    "RoleBinding": {"roleRef": {"name": "other"}},
    "CSIDriver": {"spec": {"attachRequired": True}},
    "Pod": {"spec": {"nodeSelector": {"other": "node"}}},
}
GIVEN: dict[str, Object] = {"StatefulSet, its claims": templates("1Mi")}
REPLACE: Object = {"metadata": {"annotations": {"mlops.platform/replace": "true"}}}


@pytest.mark.parametrize("title", IMMUTABLE)
def test_an_immutable_field_is_refused_or_replaced_on_request(space: Space, title: str) -> None:
    first = merged(before(title.partition(",")[0], space.name), GIVEN.get(title, {}))
    kind = (first["apiVersion"], first["kind"], first["metadata"]["name"])
    space.present(first)
    uid = space.get(*kind)["metadata"]["uid"]
    second = merged(first, IMMUTABLE[title])
    for check_mode in (True, False):
        with pytest.raises(KubeError, match="an immutable field would change") as caught:
            space.present(second, check_mode=check_mode)
        assert "nothing was changed" in str(caught.value)
        assert 'mlops.platform/replace: "true"' in str(caught.value)
    assert space.get(*kind)["metadata"]["uid"] == uid
    second = merged(second, REPLACE)
    foretold = space.present(second, check_mode=True)
    assert space.get(*kind)["metadata"]["uid"] == uid
    done = space.present(second)
    assert len(done.result()["replaced"]) == 1
    assert foretold.result() == done.result()
    assert space.get(*kind)["metadata"]["uid"] != uid
    assert not space.present(second).result()["changed"]


def test_a_failed_job_runs_again_if_it_may_be_replaced(space: Space) -> None:
    first = before("Job", space.name)
    kind = ("batch/v1", "Job", first["metadata"]["name"])
    space.present(first)
    uid = space.get(*kind)["metadata"]["uid"]
    space.patch(*kind, {"status": failed_status()}, "test", "/status")
    assert not space.present(first).result()["changed"]
    assert space.get(*kind)["metadata"]["uid"] == uid
    allowed = merged(first, REPLACE)
    foretold = space.present(allowed, check_mode=True)
    done = space.present(allowed)
    assert foretold.result() == done.result()
    assert len(done.result()["replaced"]) == 1
    assert space.get(*kind)["metadata"]["uid"] != uid
    assert not space.present(allowed).result()["changed"]


def test_a_claim_is_not_replaced_without_the_word(space: Space) -> None:
    claim = merged(before("PersistentVolumeClaim", space.name), REPLACE)
    other = merged(claim, {"spec": {"accessModes": ["ReadWriteMany"]}})
    space.present(KEEPER, claim)
    uid = space.get("v1", "PersistentVolumeClaim", "data")["metadata"]["uid"]
    with pytest.raises(KubeError, match="an immutable field would change, and it holds data"):
        space.present(KEEPER, other)
    assert space.get("v1", "PersistentVolumeClaim", "data")["metadata"]["uid"] == uid
    space.present(KEEPER, other, remove_claims=True)
    assert space.get("v1", "PersistentVolumeClaim", "data")["metadata"]["uid"] != uid


def test_a_replacement_that_the_server_would_refuse_removes_nothing(space: Space) -> None:
    """The change of the immutable field hides that the new form is wrong in itself."""
    first = merged(before("StatefulSet", space.name), REPLACE)
    space.present(first)
    uid = space.get("apps/v1", "StatefulSet", "db")["metadata"]["uid"]
    second = merged(first, {"spec": {"podManagementPolicy": "Parallel", "updateStrategy": {"type": "Never"}}})
    for check_mode in (True, False):
        with pytest.raises(KubeError, match=r"StatefulSet .*/db: .*spec\.updateStrategy") as caught:
            space.present(second, check_mode=check_mode)
        assert "nothing was changed" in str(caught.value)
    assert space.get("apps/v1", "StatefulSet", "db")["metadata"]["uid"] == uid


def test_what_takes_its_claims_with_it_needs_the_word(space: Space) -> None:
    """A StatefulSet can say that Kubernetes removes its claims with it."""
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    more = {"spec": {"volumeClaimTemplates": [claim], "persistentVolumeClaimRetentionPolicy": policy}}
    first = merged(merged(before("StatefulSet", space.name), REPLACE), more)
    space.present(KEEPER, first)
    uid = space.get("apps/v1", "StatefulSet", "db")["metadata"]["uid"]
    runs: list[t.Callable[..., t.Any]] = [
        lambda **more: space.present(KEEPER, **more),
        lambda **more: space.present(KEEPER, merged(first, IMMUTABLE["StatefulSet"]), **more),
        lambda **more: space.absent(**more),
    ]
    for run in runs:
        for check_mode in (True, False):
            with pytest.raises(KubeError, match="its claims hold data and would go with it"):
                run(check_mode=check_mode)
    assert space.get("apps/v1", "StatefulSet", "db")["metadata"]["uid"] == uid
    assert space.present(KEEPER, remove_claims=True).result()["pruned"] == [f"StatefulSet {space.name}/db"]


def test_a_definition_with_objects_is_not_replaced(space: Space) -> None:
    crd = merged(before("CustomResourceDefinition", space.name), REPLACE)
    thing = {"apiVersion": f"{space.name}.example/v1", "kind": "Thing", "metadata": {"name": "one"}}
    space.present(crd, thing)
    path = space.engine().resources.find(thing["apiVersion"], "Thing").path(space.name, "one")
    changed = merged(crd, {"spec": {"scope": "Cluster"}})
    with pytest.raises(KubeError, match="cannot be replaced, as objects of its kind are left"):
        space.present(changed, KEEPER, prune=False)
    space.client.request("DELETE", path, None, {"propagationPolicy": "Background"})
    assert space.present(changed).result()["replaced"] == [f"CustomResourceDefinition things.{space.name}.example"]


def test_without_the_right_to_delete_nothing_is_changed(space: Space) -> None:
    account, role, binding = (before(kind, space.name) for kind in ("ServiceAccount", "Role", "RoleBinding"))
    verbs = ["get", "list", "create", "patch", "update"]
    role["rules"] = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
    space.present(account, role, binding, name="rights")
    with space.as_account("robot") as robot:
        more = merged(KEEPER, {"metadata": {"name": "more"}})
        space.present(KEEPER, more, client=robot)
        changed = merged(KEEPER, {"data": {"a": "1"}})
        for check_mode in (True, False):
            with pytest.raises(KubeError, match=r"more: it cannot be removed: missing permission: .* may not delete"):
                space.present(changed, client=robot, check_mode=check_mode)
            with pytest.raises(KubeError, match="the set demo cannot be removed, and nothing was changed"):
                space.absent(client=robot, check_mode=check_mode)
    assert "data" not in space.get("v1", "ConfigMap", "keeper")


def virgin(space: Space) -> list[Object]:
    """A set whose namespace and kind do not exist yet."""
    name = f"{space.name}-new"
    crd = before("CustomResourceDefinition", space.name)
    crd["metadata"]["name"] = f"widgets.{space.name}.example"
    crd["spec"]["names"] = {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}
    widget = {
        "apiVersion": f"{space.name}.example/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "namespace": name},
    }
    inside = merged(before("Deployment", space.name), {"metadata": {"namespace": name}})
    return [KEEPER, inside, widget, crd, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}]


def test_check_mode_where_another_set_brings_the_namespace(space: Space) -> None:
    nowhere = Space(space.client, f"{space.name}-later")
    with space.client.recording() as sent:
        foretold = nowhere.present(KEEPER, check_mode=True).result()
    assert not writes(sent)
    assert foretold["created"] == foretold["not_verified"] == [f"ConfigMap {space.name}-later/keeper"]
    with pytest.raises(KubeError, match=f"the namespace {space.name}-later does not exist: create it"):
        nowhere.present(KEEPER)


def test_check_mode_where_another_set_brings_the_kind(space: Space) -> None:
    text = "{apiVersion: none.example/v1, kind: Nothing, metadata: {name: x}}"
    foretold = space.apply(text, check_mode=True).result()
    assert foretold["created"] == foretold["not_verified"] == [f"Nothing {space.name}/x"]
    unknown = r"test\.yml, document 1: unknown kind Nothing in none\.example/v1: neither the server nor a CRD"
    with space.client.recording() as sent, pytest.raises(KubeError, match=unknown):
        space.apply(text)
    assert not writes(sent)


def strict(space: Space, *fields: str) -> Object:
    """A definition that allows only these fields."""
    crd = before("CustomResourceDefinition", space.name)
    spec = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] = {"spec": spec}
    return crd


@pytest.fixture
def filled(space: Space) -> t.Iterator[t.Callable[..., Object]]:
    """An object of the strict kind with these fields."""
    kind = {"apiVersion": f"{space.name}.example/v1", "kind": "Thing", "metadata": {"name": "one"}}
    yield lambda **fields: {**kind, "spec": fields}
    # The garbage collector learns of a new kind only after half a minute, and would hold its objects that long.
    path = f"/apis/{space.name}.example/v1/namespaces/{space.name}/things/one"
    space.client.request("DELETE", path, None, {"propagationPolicy": "Background"})


def test_a_definition_gains_a_field_together_with_its_object(space: Space, filled: t.Callable[..., Object]) -> None:
    """One that is there already, and one that is new: neither passes the dry run, both pass after the definition."""
    names = [f"CustomResourceDefinition things.{space.name}.example", f"Thing {space.name}/one"]
    space.present(KEEPER, strict(space, "one"))
    for action, fields in (("created", ("one", "two")), ("configured", ("one", "two", "three"))):
        objects = (KEEPER, strict(space, *fields), filled(**dict.fromkeys(fields, "x")))
        foretold = space.present(*objects, check_mode=True).result()
        assert foretold["not_verified"] == names[1:]
        done = space.present(*objects).result()
        assert done == {**foretold, "not_verified": []}
        assert [name for action in ("configured", "created") for name in done[action]] == names
        assert names[1] in done[action]
        assert not space.present(*objects).result()["changed"]


def test_a_field_that_the_definition_does_not_have(space: Space, filled: t.Callable[..., Object]) -> None:
    space.present(strict(space, "one"), filled(one="x"))
    for check_mode in (True, False):
        with space.client.recording() as sent, pytest.raises(KubeError, match="field not declared in schema") as caught:
            space.present(KEEPER, strict(space, "one"), filled(one="x", typo="y"), check_mode=check_mode)
        assert "nothing was changed" in str(caught.value)
        assert not writes(sent)


def test_a_built_in_kind_that_this_server_does_not_have(space: Space) -> None:
    obj = {**before("Deployment", space.name), "apiVersion": "apps/v9"}
    for check_mode in (True, False):
        engine = space.engine(check_mode=check_mode)
        engine.resources.known["apps/v9", "Deployment"] = Resource("apps/v9", "Deployment", "deployments", True)
        documents = [Document(one, "test") for one in (KEEPER, obj)]
        with space.client.recording() as sent, pytest.raises(KubeError) as caught:
            engine.present(documents)
        assert not writes(sent)
        assert "nothing was changed" in str(caught.value)
        assert "unknown kind Deployment in apps/v9: Deployment is in apps/v1 on this server" in str(caught.value)


def test_check_mode_where_the_namespace_and_the_kind_are_new(space: Space) -> None:
    objects = virgin(space)
    with space.client.recording() as sent:
        foretold = space.present(*objects, check_mode=True).result()
    assert not writes(sent)
    assert foretold["not_verified"] == [f"Deployment {space.name}-new/web", f"Widget {space.name}-new/one"]
    assert set(foretold["not_verified"]) < set(foretold["created"])
    done = space.present(*objects).result()
    assert done["created"] == foretold["created"]
    assert done["not_verified"] == []
    assert not space.present(*objects).result()["changed"]
    path = f"/apis/{space.name}.example/v1/namespaces/{space.name}-new/widgets/one"
    space.client.request("DELETE", path, None, {"propagationPolicy": "Background"})
    gone = space.absent(remove_namespaces=True).result()
    assert f"Namespace {space.name}-new" in gone["pruned"]
    assert f"CustomResourceDefinition widgets.{space.name}.example" in gone["pruned"]
    assert space.get("v1", "Namespace", f"{space.name}-new") is None


def test_a_definition_stays_while_objects_of_others_are_left(space: Space) -> None:
    crd = before("CustomResourceDefinition", space.name)
    space.present(KEEPER, crd)
    path = space.engine().resources.find(f"{space.name}.example/v1", "Thing").path(space.name)
    theirs = {"apiVersion": f"{space.name}.example/v1", "kind": "Thing", "metadata": {"name": "theirs"}}
    space.client.request("POST", path, None, theirs)
    kept = space.present(KEEPER).result()["kept"]
    assert kept == [f"CustomResourceDefinition things.{space.name}.example: objects of its kind are left"]
    assert space.absent().result()["kept"] == kept
    space.client.request("DELETE", f"{path}/theirs", None, {"propagationPolicy": "Background"})
    assert space.absent().result()["pruned"] == [f"CustomResourceDefinition things.{space.name}.example"]


def test_a_changed_configuration_restarts_what_uses_it_and_nothing_else(space: Space) -> None:
    def objects(value: str) -> list[Object]:
        user, other = before("Deployment", space.name), before("StatefulSet", space.name)
        pod = other["spec"]["template"]["spec"]
        pod["volumes"] = [volume for volume in pod["volumes"] if volume["name"] != "conf"]
        container = pod["containers"][0]
        container["volumeMounts"] = [mount for mount in container["volumeMounts"] if mount["name"] != "conf"]
        del container["envFrom"]
        conf = before("ConfigMap", space.name)
        conf["data"]["a"] = value
        return [conf, user, other]

    def generations() -> list[int]:
        return [
            space.get("apps/v1", *name)["metadata"]["generation"]
            for name in (("Deployment", "web"), ("StatefulSet", "db"))
        ]

    space.present(*objects("1"))
    assert generations() == [1, 1]
    done = space.present(*objects("2")).result()
    assert done["configured"] == [f"ConfigMap {space.name}/settings", f"Deployment {space.name}/web"]
    assert generations() == [2, 1]
    template = space.get("apps/v1", "Deployment", "web")["spec"]["template"]
    assert HASH_ANNOTATION in template["metadata"]["annotations"]


def test_what_a_removal_waits_for_is_named(space: Space) -> None:
    """All that hangs is named, and what is gone is told as well."""
    held = merged(KEEPER, {"metadata": {"finalizers": ["example.com/held"]}})
    names = ("keeper", "second")
    space.present(*(merged(held, {"metadata": {"name": name}}) for name in names), before("Secret", space.name))
    engine = space.engine(state="absent", wait_timeout=1)
    try:
        with pytest.raises(KubeError) as caught:
            engine.absent()
    finally:
        release = {"metadata": {"finalizers": None}}
        paths = [space.path("v1", "ConfigMap", name) for name in names]
        for path in paths:
            threading.Timer(0.5, space.client.request, ("PATCH", path, None, release, MERGE)).start()
    for name in names:
        said = f"ConfigMap {space.name}/{name} was deleted but is held by the finalizer example.com/held"
        assert said in str(caught.value)
    assert engine.done
    assert engine.done.result()["pruned"] == [f"Secret {space.name}/credentials"]
    space.absent(wait_timeout=20)
    assert space.get("v1", "ConfigMap", "kube-set-demo") is None


def test_what_is_going_away_comes_back_after_it_is_gone(space: Space) -> None:
    held = merged(KEEPER, {"metadata": {"finalizers": ["example.com/held"]}})
    other = merged(KEEPER, {"metadata": {"name": "other"}})
    space.present(held, other)
    path = space.path("v1", "ConfigMap", "keeper")
    uid = space.client.get(path)["metadata"]["uid"]
    space.client.request("DELETE", path)
    foretold = space.present(held, other, check_mode=True).result()
    assert (foretold["created"], foretold["not_verified"]) == ([f"ConfigMap {space.name}/keeper"],) * 2
    with pytest.raises(KubeError, match=r"was deleted but is held by the finalizer example\.com/held"):
        space.present(held, other, wait_timeout=0.5)
    release = {"metadata": {"finalizers": None}}
    threading.Timer(0.5, lambda: space.client.request("PATCH", path, None, release, MERGE)).start()
    done = space.present(held, other).result()
    assert (done["created"], done["unchanged"]) == ([f"ConfigMap {space.name}/keeper"], 1)
    assert space.client.get(path)["metadata"]["uid"] != uid
    space.client.request("PATCH", path, None, release, MERGE)


def test_a_namespace_that_is_going_away_comes_back_with_all_that_was_in_it(space: Space) -> None:
    name = f"{space.name}-back"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    inside = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inside", "namespace": name}}
    space.present(namespace, inside)
    uid = space.get("v1", "Namespace", name)["metadata"]["uid"]
    space.client.request("DELETE", f"/api/v1/namespaces/{name}")
    foretold = space.present(namespace, inside, check_mode=True).result()
    done = space.present(namespace, inside).result()
    assert done["created"] == foretold["created"] == [f"ConfigMap {name}/inside", f"Namespace {name}"]
    assert space.get("v1", "Namespace", name)["metadata"]["uid"] != uid
    assert not space.present(namespace, inside).result()["changed"]
    space.absent(remove_namespaces=True)


def test_a_run_that_was_killed_leaves_nothing_behind(space: Space) -> None:
    """Killed after the inventory was widened and some objects were made: the next run knows all of them."""
    engine = space.engine()
    extra = merged(KEEPER, {"metadata": {"name": "extra"}})

    class KilledError(Exception):
        pass

    def killed(*_arguments: t.Any) -> None:
        raise KilledError

    engine.narrow = killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        engine.present([*space.documents("{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}}")])
    assert space.present(KEEPER).result()["pruned"] == [f"ConfigMap {space.name}/extra"]
    space.present(KEEPER, extra)
    assert space.absent().result()["pruned"] == [f"ConfigMap {space.name}/extra", f"ConfigMap {space.name}/keeper"]


def test_two_runs_of_one_set_at_a_time(space: Space) -> None:
    first, second = space.engine(), space.engine()
    widen = first.widen

    def late(stored: t.Any, wanted: t.Any) -> None:
        second.present(space.documents("{apiVersion: v1, kind: ConfigMap, metadata: {name: second}}"))
        widen(stored, wanted)

    first.widen = late  # type: ignore[method-assign]
    with pytest.raises(KubeError, match="the set demo was changed by another run at the same time"):
        first.present(space.documents("{apiVersion: v1, kind: ConfigMap, metadata: {name: first}}"))
    assert space.get("v1", "ConfigMap", "first") is None
    assert space.absent().result()["pruned"] == [f"ConfigMap {space.name}/second"]


BAD: dict[str, tuple[str, str]] = {
    "unknown field": (
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {selector: {matchLabels: {a: b}},"
        " template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, imag: x}]}}}}",
        r'Deployment NS/x: the server refuses it: .*containers\[name="c"\]\.imag: field not declared in schema',
    ),
    "unknown field of a custom kind": (
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x.y.z},"
        " spec: {grup: z}}",
        r"\.spec\.grup: field not declared in schema",
    ),
    "unknown field of a RayService": (
        "{apiVersion: ray.io/v1, kind: RayService, metadata: {name: x}, spec: {serveConfig: x}}",
        r"RayService NS/x: the server refuses it: .*\.spec\.serveConfig: field not declared in schema",
    ),
    "wrong type": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: 1}}",
        r"ConfigMap NS/x: .*\.data\.a: expected string",
    ),
    "invalid value": (
        "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 99999}]}}",
        r"Service NS/x: .*spec\.ports\[0\]\.port: Invalid value: 99999",
    ),
    "invalid name": ("{apiVersion: v1, kind: ConfigMap, metadata: {name: Big}}", r"Invalid value: \"Big\""),
    "unknown kind": ("{apiVersion: v1, kind: Configmap, metadata: {name: x}}", r"unknown kind Configmap in v1"),
    "old version": (
        "{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {name: x}}",
        r"Deployment is in apps/v1 on this server: correct apiVersion",
    ),
    "unknown namespace": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: none-such}}",
        r"its namespace none-such does not exist and is not an object of the set",
    ),
    "duplicate": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: keeper, namespace: NS}}",
        r"ConfigMap NS/keeper stands twice: in test\.yml, document 1 and in test\.yml, document 2",
    ),
    "empty secret key": ("{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {a: '%%%'}}", r"Secret NS/x: "),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("check_mode", [True, False])
def test_bad_objects_are_refused_before_anything_changes(space: Space, case: str, check_mode: bool) -> None:
    text, message = BAD[case]
    good = "{apiVersion: v1, kind: ConfigMap, metadata: {name: keeper}}"
    with space.client.recording() as sent, pytest.raises(KubeError) as caught:
        space.apply(f"{good}\n---\n{text}\n", check_mode=check_mode)
    assert re.search(message.replace("NS", space.name), str(caught.value)), str(caught.value)
    assert not writes(sent)
    assert space.get("v1", "ConfigMap", "keeper") is None


def test_all_that_is_wrong_comes_in_one_message(space: Space) -> None:
    text = "\n---\n".join(BAD[case][0] for case in ("wrong type", "invalid value"))
    with pytest.raises(KubeError) as caught:
        space.apply(text)
    assert re.search(r"ConfigMap .*/x: .*\nService .*/x: |Service .*/x: .*\nConfigMap .*/x: ", str(caught.value))


def test_mistakes_that_no_server_needs_to_see_come_in_one_message(space: Space) -> None:
    keeper = "{apiVersion: v1, kind: ConfigMap, metadata: {name: keeper}}"
    unknown = [BAD[case][0] for case in ("unknown kind", "old version")]
    wide = "{apiVersion: v1, kind: Namespace, metadata: {name: x, namespace: y}}"
    with pytest.raises(KubeError) as caught:
        space.apply("\n---\n".join([keeper, *unknown, wide, keeper]))
    lines = str(caught.value).splitlines()
    parts = ("unknown kind Configmap", "Deployment is in apps/v1", "remove metadata.namespace", "keeper stands twice")
    assert len(lines) == len(parts)
    assert all(part in line for part, line in zip(parts, lines)), lines


def test_an_empty_set_is_refused(space: Space) -> None:
    space.present(KEEPER)
    with pytest.raises(KubeError, match="the set is empty: to remove it, say so with state absent"):
        space.apply("---\n")
    assert space.get("v1", "ConfigMap", "keeper")


def test_secrets_stay_out_of_refusals(space: Space) -> None:
    with pytest.raises(KubeError) as caught:
        space.apply(
            "{apiVersion: v1, kind: Secret, metadata: {name: x}, type: kubernetes.io/tls,"
            " stringData: {a: hush-hush-hush}}"
        )
    assert "hush-hush" not in str(caught.value)


def test_an_object_that_waits_for_its_account(space: Space) -> None:
    """A pod is refused as long as its service account does not exist; both are in one set."""
    account = merged(before("ServiceAccount", space.name), {"metadata": {"name": "pods-own"}})
    pod = merged(before("Pod", space.name), {"spec": {"serviceAccountName": "pods-own"}})
    foretold = space.present(account, pod, check_mode=True).result()
    assert foretold["not_verified"] == [f"Pod {space.name}/single"]
    assert len(space.present(account, pod).result()["created"]) == 2


def test_server_side_defaults_do_not_hide_a_change_back(space: Space) -> None:
    """A field is set, removed and set again: each time the cluster follows."""
    plain = before("Deployment", space.name)
    more = merged(plain, {"spec": {"minReadySeconds": 9}})
    for wanted, value in ((plain, None), (more, 9), (plain, None), (more, 9)):
        space.present(copy.deepcopy(wanted))
        assert space.get("apps/v1", "Deployment", "web")["spec"].get("minReadySeconds") == value
