"""Namespaces and kinds that come with a set, or with another one."""

from __future__ import annotations

import typing as t

import pytest
from e2e.kube_set.kinds import before, merged
from e2e.kube_set.support import KEEPER, Object, Space, writes

from ansible_collections.mlops.platform.plugins.module_utils._kube import execute
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import Resource


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


def test_a_mistake_in_a_new_namespace_is_found_before_anything_is_in_it(space: Space) -> None:
    name = f"{space.name}-new"
    there = {"metadata": {"namespace": name}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    wrong = merged(before("Service", space.name), {**there, "spec": {"type": "Wrong"}})
    with pytest.raises(
        KubeError, match=r"Service .*: the server refuses it: .*spec\.type: Unsupported value"
    ) as caught:
        space.present(namespace, merged(KEEPER, there), wrong)
    assert "nothing but its namespaces and kinds was changed" in str(caught.value)
    assert space.client.find(f"/api/v1/namespaces/{name}/configmaps/keeper") is None
    assert space.absent(remove_namespaces=True).result()["pruned"] == [f"Namespace {name}"]


def test_a_field_that_the_new_definition_does_not_have_either(
    space: Space, filled: t.Callable[..., Object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "SERVED_WITHIN", 2.0)
    space.present(strict(space, "one"), filled(one="x"))
    with pytest.raises(KubeError, match="field not declared in schema") as caught:
        space.present(KEEPER, strict(space, "one", "two"), filled(one="x", typo="y"))
    assert "nothing but its namespaces and kinds was changed" in str(caught.value)
    assert space.get("v1", "ConfigMap", "keeper") is None
    assert space.present(KEEPER, strict(space, "one", "two"), filled(two="y")).result()["changed"]


def test_a_pod_comes_together_with_its_namespace(space: Space) -> None:
    """Kubernetes makes the account of a new namespace a moment later, and refuses pods until then."""
    name = f"{space.name}-new"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    pod = merged(before("Pod", space.name), {"metadata": {"namespace": name}})
    assert len(space.present(namespace, pod).result()["created"]) == 2
    assert not space.present(namespace, pod).result()["changed"]
    assert len(space.absent(remove_namespaces=True).result()["pruned"]) == 2


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
