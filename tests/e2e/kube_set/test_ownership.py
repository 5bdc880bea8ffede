"""Fields and objects that somebody else changes, owns or shares."""

from __future__ import annotations

import copy
import typing as t

import pytest
from e2e.kube_set.kinds import before, merged
from e2e.kube_set.support import Object, Space, failed_status

from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError

SERVE: Object = {"kind": "Thing", "name": "one", "field": "spec.config"}


def web(space: Space, replicas: int | None = 0) -> Object:
    obj = before("Deployment", space.name)
    obj["spec"]["replicas"] = replicas
    return obj


def data(value: str, **more: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"key": value, **more}}


@pytest.mark.parametrize("manager", ["kubectl-edit", "kubectl-client-side-apply", "Mozilla", "python-requests"])
def test_a_change_by_hand_is_found_and_set_right(space: Space, manager: str) -> None:
    space.present(web(space))
    before_change = space.get("apps/v1", "Deployment", "web")["spec"]
    env = [{"name": "main", "image": "registry.example/other:2"}]
    change = {"spec": {"paused": True, "template": {"spec": {"containers": env, "priority": None}}}}
    strategic = copy.deepcopy(change)
    path = space.path("apps/v1", "Deployment", "web")
    space.client.request("PATCH", path, {"fieldManager": manager}, strategic, "application/strategic-merge-patch+json")
    outcome = space.present(web(space))
    assert outcome.result()["configured"] == [f"Deployment {space.name}/web"]
    assert "other:2" in outcome.diff[0]["before"]
    assert "other:2" not in outcome.diff[0]["after"]
    live = space.get("apps/v1", "Deployment", "web")["spec"]
    assert live["template"] == before_change["template"]
    assert live["paused"] is True, "a field that the set does not name stays as it is"
    assert not space.present(web(space)).result()["changed"]


def test_a_removed_field_is_put_back(space: Space) -> None:
    space.present(data("1", other="2"))
    space.patch("v1", "ConfigMap", "conf", {"data": {"other": None}}, "kubectl-edit")
    assert space.present(data("1", other="2")).result()["changed"]
    assert space.get("v1", "ConfigMap", "conf")["data"] == {"key": "1", "other": "2"}


def test_a_field_that_leaves_the_set_is_removed_and_foreign_ones_stay(space: Space) -> None:
    space.present(data("1", other="2"))
    space.patch("v1", "ConfigMap", "conf", {"data": {"foreign": "3"}}, "somebody")
    assert not space.present(data("1", other="2")).result()["changed"]
    space.present(data("1"))
    assert space.get("v1", "ConfigMap", "conf")["data"] == {"key": "1", "foreign": "3"}


def scaled(space: Space, replicas: int, manager: str) -> None:
    space.patch("apps/v1", "Deployment", "web", {"spec": {"replicas": replicas}}, manager, "/scale")


def test_the_replicas_of_an_autoscaler_are_left_to_it_until_it_is_gone(space: Space) -> None:
    scaler = before("HorizontalPodAutoscaler", space.name)
    space.present(web(space, 1), scaler)
    scaled(space, 3, "kube-controller-manager")
    outcome = space.present(web(space, 1), scaler)
    assert outcome.result()["left"] == [f"Deployment {space.name}/web: spec.replicas to kube-controller-manager"]
    assert space.get("apps/v1", "Deployment", "web")["spec"]["replicas"] == 3
    assert not space.present(web(space, 1), scaler).result()["changed"]
    space.present(web(space, 1))
    assert space.get("apps/v1", "Deployment", "web")["spec"]["replicas"] == 3, "the autoscaler went in the same run"
    assert space.present(web(space, 1)).result()["configured"] == [f"Deployment {space.name}/web"]
    assert space.get("apps/v1", "Deployment", "web")["spec"]["replicas"] == 1


def test_a_change_beside_an_autoscalers_field_keeps_that_field(space: Space) -> None:
    scaler = before("HorizontalPodAutoscaler", space.name)
    space.present(web(space, 1), scaler)
    scaled(space, 4, "kube-controller-manager")
    changed = web(space, 1)
    changed["spec"]["minReadySeconds"] = 3
    assert space.present(changed, scaler).result()["configured"]
    spec = space.get("apps/v1", "Deployment", "web")["spec"]
    assert (spec["replicas"], spec["minReadySeconds"]) == (4, 3)


def test_replicas_scaled_by_hand_are_set_right(space: Space) -> None:
    space.present(web(space, 0))
    scaled(space, 2, "kubectl")
    space.present(web(space, 0))
    assert space.get("apps/v1", "Deployment", "web")["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("manager", "extra"),
    [("vpa-updater", ()), ("my-operator", ()), ("cluster-autoscaler", ()), ("odd-name", ("odd-name",))],
)
def test_another_controllers_field_is_left_to_it(space: Space, manager: str, extra: tuple[str, ...]) -> None:
    space.present(data("1"))
    space.patch("v1", "ConfigMap", "conf", {"data": {"key": "theirs"}}, manager)
    outcome = space.present(data("1"), controllers=extra)
    assert outcome.result()["left"] == [f"ConfigMap {space.name}/conf: data.key to {manager}"]
    assert space.get("v1", "ConfigMap", "conf")["data"]["key"] == "theirs"


def test_another_tools_field_is_a_conflict_that_names_it(space: Space) -> None:
    space.present(data("1"))
    body = data("theirs")
    body["metadata"]["namespace"] = space.name
    space.apply_as("argocd", body, force=True)
    with pytest.raises(KubeError, match=r"argocd applies data\.key with another value"):
        space.present(data("1"))
    assert space.get("v1", "ConfigMap", "conf")["data"]["key"] == "theirs"
    space.present(data("1"), force_conflicts=True)
    assert space.get("v1", "ConfigMap", "conf")["data"]["key"] == "1"
    assert not space.present(data("1")).result()["changed"]


def test_an_object_of_another_set_is_refused(space: Space) -> None:
    space.present(data("1"), name="first")
    with pytest.raises(KubeError, match=rf"it belongs to the set {space.name}\.first"):
        space.present(data("1"), name="second")
    space.present(data("1"), name="second", force_conflicts=True)
    assert space.absent(name="first").result()["pruned"] == [], "an object that another set took over stays"
    assert space.get("v1", "ConfigMap", "conf")


def test_an_object_made_by_hand_is_adopted(space: Space) -> None:
    body = data("old", foreign="x")
    body["metadata"]["namespace"] = space.name
    space.client.request(
        "POST", space.resource("v1", "ConfigMap").path(space.name), {"fieldManager": "kubectl-create"}, body
    )
    foretold = space.present(data("new"), check_mode=True)
    outcome = space.present(data("new"))
    assert foretold.diff == outcome.diff
    assert outcome.result()["configured"] == [f"ConfigMap {space.name}/conf"]
    assert space.get("v1", "ConfigMap", "conf")["data"] == {"key": "new", "foreign": "x"}


def test_a_namespace_is_shared_and_never_pruned(space: Space) -> None:
    label = {"mlops.test/level": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space.name, "labels": label}}
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}
    space.present(namespace, data("1"), name="first")
    assert space.present(namespace, other, name="second").result()["created"] == [f"ConfigMap {space.name}/other"]
    assert not space.present(namespace, data("1"), name="first").result()["changed"]
    outcome = space.present(data("1"), name="first")
    assert outcome.result()["pruned"] == []
    assert outcome.result()["kept"] == [f"Namespace {space.name}: namespaces are never pruned"]
    gone = space.absent(name="second", remove_namespaces=True)
    assert f"Namespace {space.name}: the set {space.name}.first uses it" in gone.result()["kept"]
    assert label.items() <= space.get("v1", "Namespace", space.name)["metadata"]["labels"].items()


def test_copied_labels_do_not_make_objects_the_sets(space: Space) -> None:
    """The endpoints controller copies a Service's labels to its EndpointSlices."""
    service = before("Service", space.name)
    endpoint_slice = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "theirs", "labels": {"mlops.platform/set": f"{space.name}.demo"}},
        "addressType": "IPv4",
        "endpoints": [],
        "ports": [],
    }
    own = copy.deepcopy(endpoint_slice)
    own["metadata"] = {"name": "ours"}
    space.present(service, own)
    path = space.resource("discovery.k8s.io/v1", "EndpointSlice").path(space.name)
    space.client.request("POST", path, {"fieldManager": "endpointslice-controller"}, endpoint_slice)
    assert space.present(service).result()["pruned"] == [f"EndpointSlice {space.name}/ours"]
    assert space.get("discovery.k8s.io/v1", "EndpointSlice", "theirs")


def test_what_lost_its_label_or_got_an_owner_is_not_pruned(space: Space) -> None:
    names = ("unlabelled", "owned", "plain")
    maps: list[Object] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in names]
    space.present(data("1"), *maps)
    space.patch(
        "v1", "ConfigMap", "unlabelled", {"metadata": {"labels": {"mlops.platform/set": None}}}, "kubectl-label"
    )
    uid = space.get("v1", "ConfigMap", "conf")["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "conf", "uid": uid, "controller": True}
    space.patch("v1", "ConfigMap", "owned", {"metadata": {"ownerReferences": [owner]}}, "some-controller")
    result = space.present(data("1")).result()
    assert result["pruned"] == [f"ConfigMap {space.name}/plain"]
    assert result["kept"] == [
        f"ConfigMap {space.name}/owned: it is controlled by ConfigMap conf",
        f"ConfigMap {space.name}/unlabelled: it lost the label of the set",
    ]
    space.client.request("DELETE", space.path("v1", "ConfigMap", "unlabelled"))


def test_without_prune_the_inventory_remembers(space: Space) -> None:
    more: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}
    space.present(data("1"), more)
    assert not space.present(data("1"), prune=False).result()["changed"]
    assert space.get("v1", "ConfigMap", "more")
    assert space.present(data("1")).result()["pruned"] == [f"ConfigMap {space.name}/more"]


def test_a_claim_is_neither_pruned_nor_removed_without_the_word(space: Space) -> None:
    claim = before("PersistentVolumeClaim", space.name)
    space.present(data("1"), claim)
    said = f"PersistentVolumeClaim {space.name}/data: it holds data; remove_claims would remove it"
    for _run in range(2):
        result = space.present(data("1")).result()
        assert (result["pruned"], result["kept"]) == ([], [said])
    assert space.absent().result()["kept"] == [said]
    assert space.absent().result()["changed"] is False
    assert space.get("v1", "PersistentVolumeClaim", "data")
    space.present(data("1"), claim)
    assert space.absent(remove_claims=True).result()["kept"] == []
    assert space.get("v1", "PersistentVolumeClaim", "data") is None
    assert space.get("v1", "ConfigMap", "kube-set-demo") is None


@pytest.fixture
def thing(space: Space) -> t.Iterator[t.Callable[..., list[Object]]]:
    """A custom kind whose spec.config belongs to somebody else after creation."""
    crd = before("CustomResourceDefinition", space.name)

    def objects(config: str, size: int) -> list[Object]:
        spec = {"config": config, "size": size}
        return [
            crd,
            {"apiVersion": f"{space.name}.example/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": spec},
        ]

    yield objects
    # The garbage collector learns of a new kind only after half a minute, and would hold its objects that long.
    path = space.engine().resources.find(f"{space.name}.example/v1", "Thing").path(space.name, "one")
    space.client.request("DELETE", path, None, {"propagationPolicy": "Background"})
    space.absent()


def test_a_field_that_is_given_once(space: Space, thing: t.Callable[..., list[Object]]) -> None:
    kind = (f"{space.name}.example/v1", "Thing", "one")
    space.present(*thing("first", 1), not_owned=[SERVE])
    assert not space.present(*thing("first", 1), not_owned=[SERVE]).result()["changed"]
    space.patch(*kind, {"spec": {"config": "theirs"}}, "ray_serve_application")
    assert not space.present(*thing("another", 1), not_owned=[SERVE]).result()["changed"]
    assert space.present(*thing("another", 2), not_owned=[SERVE]).result()["configured"] == [f"Thing {space.name}/one"]
    space.resources.known[kind[0], kind[1]] = space.engine().resources.find(*kind[:2])
    assert space.get(*kind)["spec"] == {"config": "theirs", "size": 2}


def test_a_field_that_is_given_up_later_stays(space: Space, thing: t.Callable[..., list[Object]]) -> None:
    kind = (f"{space.name}.example/v1", "Thing", "one")
    space.present(*thing("first", 1))
    foretold = space.present(*thing("second", 1), not_owned=[SERVE], check_mode=True)
    assert foretold.result()["configured"] == [f"Thing {space.name}/one"], "it is handed over"
    assert foretold.diff[0]["before"] == foretold.diff[0]["after"], "it keeps its value"
    space.present(*thing("second", 2), not_owned=[SERVE])
    assert space.get(*kind)["spec"] == {"config": "first", "size": 2}
    assert not space.present(*thing("third", 2), not_owned=[SERVE]).result()["changed"]


def test_a_field_that_somebody_writes_while_it_is_handed_over(
    space: Space, thing: t.Callable[..., list[Object]]
) -> None:
    kind = (f"{space.name}.example/v1", "Thing", "one")
    space.present(*thing("first", 1))
    engine = space.engine(not_owned=[SERVE])
    widen = engine.widen

    def late(*arguments: t.Any) -> None:
        space.patch(*kind, {"spec": {"config": "theirs"}}, "ray_serve_application")
        widen(*arguments)

    engine.widen = late  # type: ignore[method-assign]
    engine.present([Document(obj, "test") for obj in thing("second", 2)])
    assert space.get(*kind)["spec"] == {"config": "theirs", "size": 2}


def test_a_replaced_object_keeps_what_others_wrote(space: Space) -> None:
    first = merged(web(space), {"metadata": {"annotations": {"mlops.platform/replace": "true"}}})
    first["spec"]["minReadySeconds"] = 1
    options: Object = {"not_owned": [{"kind": "Deployment", "name": "web", "field": "spec.minReadySeconds"}]}
    space.present(first, **options)
    space.patch("apps/v1", "Deployment", "web", {"spec": {"minReadySeconds": 7}}, "ray_serve_application")
    more = {"more": "yes"}
    second = merged(first, {"spec": {"selector": {"matchLabels": more}, "template": {"metadata": {"labels": more}}}})
    foretold = space.present(second, check_mode=True, **options)
    assert "minReadySeconds: 7" in foretold.diff[0]["after"]
    assert space.present(second, **options).result()["replaced"] == [f"Deployment {space.name}/web"]
    assert space.get("apps/v1", "Deployment", "web")["spec"]["minReadySeconds"] == 7
    assert not space.present(second, **options).result()["changed"]


def test_a_tool_that_is_named_like_a_controller_is_a_tool(space: Space) -> None:
    space.present(data("1"))
    body = data("theirs")
    body["metadata"]["namespace"] = space.name
    space.apply_as("kustomize-controller", body, force=True)
    with pytest.raises(KubeError, match=r"kustomize-controller applies data\.key with another value"):
        space.present(data("1"))


def test_the_failed_job_of_another_set_is_not_replaced(space: Space) -> None:
    job = merged(before("Job", space.name), {"metadata": {"annotations": {"mlops.platform/replace": "true"}}})
    kind = ("batch/v1", "Job", job["metadata"]["name"])
    space.present(job, name="first")
    uid = space.get(*kind)["metadata"]["uid"]
    space.patch(*kind, {"status": failed_status()}, "test", "/status")
    with pytest.raises(KubeError, match=rf"it belongs to the set {space.name}\.first"):
        space.present(job, name="second")
    assert space.get(*kind)["metadata"]["uid"] == uid


def test_what_lies_in_a_namespace_that_leaves_the_templates_is_pruned(space: Space) -> None:
    other = f"{space.name}-two"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}
    inside = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inside", "namespace": other}}
    space.present(data("1"), namespace, inside)
    result = space.present(data("1"), namespace).result()
    assert result["pruned"] == [f"ConfigMap {other}/inside"]
    assert space.get("v1", "ConfigMap", "inside", other) is None
    space.present(data("1"), namespace, inside)
    result = space.present(data("1")).result()
    assert result["pruned"] == [f"ConfigMap {other}/inside"]
    assert result["kept"] == [f"Namespace {other}: namespaces are never pruned"]
    space.absent(remove_namespaces=True)
    assert space.get("v1", "Namespace", other) is None


def test_a_namespace_with_claims_stays_without_the_word(space: Space) -> None:
    """With it would go the set's own claim and those that nobody's set made, as the homes of a hub."""
    other = f"{space.name}-data"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}
    claim = merged(before("PersistentVolumeClaim", space.name), {"metadata": {"namespace": other}})
    home = merged(claim, {"metadata": {"name": "home"}})
    space.present(data("1"), namespace, claim)
    space.client.request("POST", space.resource("v1", "PersistentVolumeClaim").path(other), None, home)
    said = [
        f"Namespace {other}: it holds claims; remove_claims would remove them",
        f"PersistentVolumeClaim {other}/data: it holds data; remove_claims would remove it",
    ]
    foretold = space.absent(remove_namespaces=True, check_mode=True).result()
    assert (foretold["kept"], foretold["pruned"]) == (said, [f"ConfigMap {space.name}/conf"])
    assert space.absent(remove_namespaces=True).result() == foretold
    for name in ("data", "home"):
        assert "deletionTimestamp" not in space.get("v1", "PersistentVolumeClaim", name, other)["metadata"]
    gone = space.absent(remove_namespaces=True, remove_claims=True).result()
    assert gone["pruned"] == [f"Namespace {other}", f"PersistentVolumeClaim {other}/data"]
    assert space.get("v1", "Namespace", other) is None


def test_a_namespace_whose_last_claim_has_gone_goes(space: Space) -> None:
    other = f"{space.name}-last"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}
    claim = merged(before("PersistentVolumeClaim", space.name), {"metadata": {"namespace": other}})
    space.present(data("1"), namespace)
    path = space.resource("v1", "PersistentVolumeClaim").path(other)
    space.client.request("POST", path, None, claim)
    assert len(space.absent(remove_namespaces=True).result()["kept"]) == 1
    space.client.request("DELETE", f"{path}/data")
    assert space.absent(remove_namespaces=True).result()["pruned"] == [f"Namespace {other}"]
