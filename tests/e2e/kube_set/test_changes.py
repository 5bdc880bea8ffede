"""Restarts, removals, runs that were killed and runs at the same time."""

from __future__ import annotations

import copy
import threading
import typing as t

import pytest
from e2e.kube_set.kinds import before, merged
from e2e.kube_set.support import KEEPER, MERGE, Object, Space

from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import HASH_ANNOTATION


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
    assert done["created"] == [f"ConfigMap {space.name}/keeper"]
    assert done["unchanged"] == [f"ConfigMap {space.name}/other"]
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
