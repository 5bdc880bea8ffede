"""kube_set_info: sets, readiness and drift from the inventories alone."""

from __future__ import annotations

import json
import typing as t

from e2e.kube_set.kinds import before, merged
from e2e.kube_set.support import Object, Space

from ansible_collections.mlops.platform.plugins.module_utils._kube.info import describe, inventories, unhealthy
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import Resources

CONF: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": "1"}}


def info(space: Space, name: str | None = "demo") -> list[dict[str, t.Any]]:
    resources = Resources(space.client)
    found = inventories(space.client, space.name, name)
    return [describe(space.client, resources, stored) for stored in found]


def drift(space: Space) -> dict[str, list[str]]:
    return {item["name"]: item["drift"] for item in info(space)[0]["objects"] if item["drift"]}


def test_a_set_in_health(space: Space) -> None:
    space.present(CONF, before("ClusterRole", space.name))
    (found,) = info(space)
    assert json.loads(json.dumps(found)) == found
    assert (found["name"], found["namespace"], found["state"]) == ("demo", space.name, "present")
    assert (found["ready"], found["drift"]) == (True, False)
    assert [(item["kind"], item["namespace"], item["exists"]) for item in found["objects"]] == [
        ("ConfigMap", space.name, True),
        ("ClusterRole", "", True),
    ]
    assert unhealthy([found]) == []


def test_what_is_not_ready_is_told(space: Space) -> None:
    space.present(before("PersistentVolumeClaim", space.name))
    (found,) = info(space)
    assert not found["ready"]
    assert unhealthy([found]) == [f"{space.name}/demo: PersistentVolumeClaim data: phase Pending"]
    space.absent(remove_claims=True)


def test_drift_names_who_changed_what_the_set_applied(space: Space) -> None:
    space.present(CONF, merged(CONF, {"metadata": {"name": "other"}}))
    space.patch("v1", "ConfigMap", "conf", {"data": {"foreign": "x"}}, "kubectl-edit")
    assert drift(space) == {}, "a field that is not the set's is no drift"
    space.patch("v1", "ConfigMap", "conf", {"data": {"a": "2"}}, "kubectl-edit")
    space.client.request("DELETE", space.path("v1", "ConfigMap", "other"))
    found = drift(space)
    assert found["other"] == ["it was removed"]
    assert found["conf"][0].startswith("kubectl-edit changed it at ")
    space.present(CONF, merged(CONF, {"metadata": {"name": "other"}}))
    assert drift(space) == {}


def test_a_lost_label_is_drift(space: Space) -> None:
    space.present(CONF)
    space.patch("v1", "ConfigMap", "conf", {"metadata": {"labels": None}}, "kubectl-label")
    assert list(drift(space)) == ["conf"]


def test_what_an_autoscaler_took_is_no_drift(space: Space) -> None:
    web = before("Deployment", space.name)
    web["spec"]["replicas"] = 1
    scaler = before("HorizontalPodAutoscaler", space.name)
    space.present(web, scaler)
    patch = {"spec": {"replicas": 2}}
    space.patch("apps/v1", "Deployment", "web", patch, "kube-controller-manager", "/scale")
    assert drift(space) == {}
    space.present(web, scaler)
    assert drift(space) == {}
    space.patch("apps/v1", "Deployment", "web", {"metadata": {"labels": None}}, "kubectl-label")
    assert list(drift(space)) == ["web"]


def test_what_a_hand_scaled_is_drift(space: Space) -> None:
    web = before("Deployment", space.name)
    space.present(web)
    space.patch("apps/v1", "Deployment", "web", {"spec": {"replicas": 2}}, "kubectl", "/scale")
    assert drift(space)["web"][0].startswith("kubectl changed it at ")


def test_sets_are_found_by_namespace_and_by_name(space: Space) -> None:
    space.present(CONF, name="first")
    space.present(merged(CONF, {"metadata": {"name": "other"}}), name="second")
    assert [item["name"] for item in info(space, None)] == ["first", "second"]
    everywhere = inventories(space.client, None, "second")
    assert (space.name, "second") in [tuple(stored.set_id) for stored in everywhere]
    assert info(space, "third") == []


def test_a_removed_set_that_left_claims_is_absent_but_known(space: Space) -> None:
    space.present(CONF, before("PersistentVolumeClaim", space.name))
    space.absent()
    (found,) = info(space)
    assert (found["state"], found["ready"], found["drift"]) == ("absent", True, False)
    assert [item["kind"] for item in found["objects"]] == ["PersistentVolumeClaim"]
    space.absent(remove_claims=True)
    assert info(space) == []


def test_an_object_whose_kind_is_gone(space: Space) -> None:
    crd = before("CustomResourceDefinition", space.name)
    thing = {"apiVersion": f"{space.name}.example/v1", "kind": "Thing", "metadata": {"name": "one"}}
    space.present(CONF, crd, thing)
    path = space.path("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd["metadata"]["name"])
    space.client.request("DELETE", path)
    while space.client.find(path):
        space.client.get(path.rpartition("/")[0])
    (found,) = info(space)
    assert {item["kind"]: item["exists"] for item in found["objects"]} == {
        "ConfigMap": True,
        "CustomResourceDefinition": False,
        "Thing": False,
    }
    assert space.absent().result()["pruned"] == [f"ConfigMap {space.name}/conf"]
