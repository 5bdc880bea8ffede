"""What a run does with immutable fields, and when it may replace."""

from __future__ import annotations

import typing as t

import pytest
from e2e.kube_set.kinds import before, merged
from e2e.kube_set.support import KEEPER, Object, Space, failed_status

from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError


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


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_the_diff_of_a_replacement_shows_what_changes(space: Space, kind: str) -> None:
    """The new object is shown with the server's defaults, as the old one is."""
    first = merged(before(kind, space.name), REPLACE)
    space.present(first)
    [shown] = space.present(merged(first, IMMUTABLE[kind]), check_mode=True, diff=True).diff
    before_lines, after_lines = (set(shown[side].splitlines()) for side in ("before", "after"))
    fresh = ("controller-uid", "deployment.kubernetes.io/revision")  # each object has its own
    gone, new = (
        sorted(line.strip() for line in lines if not any(text in line for text in fresh))
        for lines in (before_lines - after_lines, after_lines - before_lines)
    )
    assert (gone, new) == {
        "Deployment": ([], ["more: 'yes'", "more: 'yes'"]),
        "Job": (["terminationGracePeriodSeconds: 30"], ["terminationGracePeriodSeconds: 7"]),
    }[kind]


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
