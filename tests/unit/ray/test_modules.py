# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules about Ray: create, change, remove; each planned, done, planned again and done again."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._digest import keyed_digest
from ansible_collections.mlops.platform.plugins.module_utils._ray import ConflictError, NotThereError, RayError
from ansible_collections.mlops.platform.plugins.module_utils._ray_kube import HIDDEN, HIDDEN_CHANGED, masked
from ansible_collections.mlops.platform.plugins.modules import (
    kube_secret_digest,
    ray_gcs_state,
    ray_objects_info,
    ray_serve_application,
    ray_serve_application_info,
    ray_worker_groups,
)

from .conftest import FakeKube

DEFAULTS: dict[str, t.Any] = {
    **{name: option.get("default") for name, option in ray_serve_application.SPEC.items()},
    "namespace": "mlops",
    "service": "ray",
    "wait_timeout": 5,
}


def run(kube: FakeKube, check: bool = False, **params: t.Any) -> dict[str, t.Any]:
    return ray_serve_application.run({**DEFAULTS, **params}, check, kube)


INFO = {"namespace": "mlops", "service": "ray", "name": None, "values": False}
CREATE = {"name": "iris", "import_path": "a.b:c"}
CHANGE = {**CREATE, "args": {"model_uri": "models:/iris/2"}}
REMOVE = {"name": "iris", "state": "absent"}


@pytest.mark.parametrize(("before", "step"), [([], CREATE), ([CREATE], CHANGE), ([CREATE], REMOVE)])
def test_each_step_changes_once_and_only_for_real(
    kube: FakeKube, before: list[dict[str, t.Any]], step: dict[str, t.Any]
) -> None:
    for params in before:
        run(kube, **params)
    found = []
    for check in (True, False, True, False):
        patches = len(kube.patches)
        found.append(run(kube, check, **step))
        assert not check or len(kube.patches) == patches
    assert [one["changed"] for one in found] == [True, True, False, False]
    assert found[0]["diff"] == found[1]["diff"]
    assert found[0]["diff"]["before"] != found[0]["diff"]["after"]


def test_an_entry_may_be_given_as_a_whole(kube: FakeKube) -> None:
    run(kube, **CREATE)
    (_own, iris) = ray_serve_application_info.run(INFO, kube)["applications"]
    assert not run(kube, application=iris["entry"])["changed"]


def test_without_a_service_a_plan_is_unverified_and_a_run_fails(kube: FakeKube) -> None:
    assert run(kube, True, **CREATE, service="other")["not_verified"] == ["iris"]
    with pytest.raises(NotThereError):
        run(kube, **CREATE, service="other")
    assert not run(kube, **REMOVE, service="other")["changed"]


def test_what_is_there_is_told(kube: FakeKube) -> None:
    kube.outcomes["a.b:c"] = ("DEPLOY_FAILED", "no such model")
    run(kube, **CREATE, wait=False)
    kube.work(3)
    found = ray_serve_application_info.run(INFO, kube)
    assert (found["exists"], found["ray_cluster"], found["upgrading"]) == (True, "ray-1", False)
    own, iris = found["applications"]
    assert (own["built_in"], own["status"]) == (True, "RUNNING")
    assert (iris["built_in"], iris["status"], iris["message"]) == (False, "DEPLOY_FAILED", "no such model")
    nothing = ray_serve_application_info.run({**INFO, "service": "other"}, kube)
    assert nothing == {"exists": False, "ray_cluster": "", "upgrading": False, "applications": []}


def test_values_of_the_environment_are_hidden() -> None:
    def entry(**values: str) -> dict[str, t.Any]:
        return {"runtime_env": {"env_vars": values}}

    before, after = masked(entry(A="1", B="2"), entry(A="1", B="3", C="4"))
    assert before == entry(A=HIDDEN, B=HIDDEN)
    assert after == entry(A=HIDDEN, B=HIDDEN_CHANGED, C=HIDDEN)
    assert masked(None, {"name": "a"}) == (None, {"name": "a"})


def test_the_environment_of_a_deployment_is_hidden_too() -> None:
    def entry(value: str, name: str = "M") -> dict[str, t.Any]:
        return {"deployments": [{"name": name, "ray_actor_options": {"runtime_env": {"env_vars": {"A": value}}}}]}

    assert masked(entry("1"), entry("2")) == (entry(HIDDEN), entry(HIDDEN_CHANGED))
    assert masked(entry("1"), entry("1")) == (entry(HIDDEN), entry(HIDDEN))
    assert masked(entry("1"), entry("2", "N")) == (entry(HIDDEN), entry(HIDDEN, "N"))
    assert masked(None, {"deployments": ["M"], "runtime_env": "s3://a"})[1] == {
        "deployments": ["M"],
        "runtime_env": "s3://a",
    }


def test_users_of_addresses_are_hidden() -> None:
    def entry(user: str) -> dict[str, t.Any]:
        return {"runtime_env": {"working_dir": f"https://{user}@host/code.zip", "pip": ["a", f"git+ssh://{user}@x/y"]}}

    assert masked(entry("ana:one"), entry("ana:one")) == (entry(HIDDEN), entry(HIDDEN))
    assert masked(entry("ana:one"), entry("ana:two")) == (entry(HIDDEN), entry(HIDDEN_CHANGED))
    assert masked(None, entry("ana:one")) == (None, entry(HIDDEN))
    plain = {"runtime_env": {"working_dir": "s3://bucket/a@b.zip"}}
    assert masked(plain, plain) == (plain, plain)


def test_values_of_the_environment_are_told_only_where_they_are_asked_for(kube: FakeKube) -> None:
    run(kube, **CREATE, runtime_env={"env_vars": {"A": "secret"}})
    hidden, shown = (ray_serve_application_info.run({**INFO, "values": way}, kube) for way in (False, True))
    assert "secret" not in str(hidden)
    assert shown["applications"][1]["entry"]["runtime_env"] == {"env_vars": {"A": "secret"}}


def test_an_application_written_by_hand_may_have_no_name(kube: FakeKube) -> None:
    kube.write(kube.service, {"serveConfigV2": "applications: [{import_path: app}]"})
    (found,) = ray_serve_application_info.run(INFO, kube)["applications"]
    assert (found["name"], found["entry"]) == ("default", {"import_path": "app"})


GROUP = {"name": "workers", "replicas": 3, "min_replicas": 3, "max_replicas": 3}


def test_another_number_of_workers_is_set_on_the_running_cluster(kube: FakeKube) -> None:
    params = {"namespace": "mlops", "service": "ray", "groups": [GROUP]}
    found = [ray_worker_groups.run(params, check, kube) for check in (True, False, True, False)]
    assert [one["changed"] for one in found] == [True, True, False, False]
    assert found[0]["diff"] == found[1]["diff"]
    group = kube.cluster["spec"]["workerGroupSpecs"][0]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (3, 3, 3)


def test_the_number_of_workers_is_set_against_an_operator_that_writes_too(
    kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, writes = kube.patch, iter(range(3))

    def contended(path: str, query: t.Any, body: t.Any) -> t.Any:
        if next(writes, None) is not None:
            kube.touch(kube.cluster)
        return patch(path, query, body)

    monkeypatch.setattr(kube, "patch", contended)
    params = {"namespace": "mlops", "service": "ray", "groups": [GROUP]}
    assert ray_worker_groups.run(params, False, kube)["changed"]
    assert kube.cluster["spec"]["workerGroupSpecs"][0]["replicas"] == 3

    def always(path: str, query: t.Any, body: t.Any) -> t.Any:
        raise ConflictError("modified")

    monkeypatch.setattr(kube, "patch", always)
    with pytest.raises(RayError, match="ray-1: the RayCluster was changed by others"):
        ray_worker_groups.run({**params, "groups": [{**GROUP, "replicas": 2}]}, False, kube)


def test_a_group_that_the_cluster_does_not_have_is_left_to_the_operator(kube: FakeKube) -> None:
    params = {"namespace": "mlops", "service": "ray", "groups": [{**GROUP, "name": "more"}]}
    assert not ray_worker_groups.run(params, False, kube)["changed"]


class Group:
    """An API group with two kinds."""

    def get(self, path: str, query: t.Any) -> t.Any:
        kinds = [{"name": "rayclusters", "kind": "RayCluster"}, {"name": "rayclusters/status", "kind": "RayCluster"}]
        if path.endswith("/v1"):
            return {"resources": kinds}
        return {"items": [{"metadata": {"namespace": "b", "name": "x"}}, {"metadata": {"namespace": "a", "name": "y"}}]}


def test_all_objects_are_listed(kube: FakeKube) -> None:
    assert ray_objects_info.objects(t.cast("t.Any", Group())) == ["RayCluster a/y", "RayCluster b/x"]
    assert ray_objects_info.objects(kube) == []


def test_only_the_keys_of_clusters_that_are_gone_are_stale() -> None:
    living, gone = "0fb1b0e3-0a4a-4f53-a4c5-7c8f9b0d3a51", "1fb1b0e3-0a4a-4f53-a4c5-7c8f9b0d3a52"
    keys = [f"RAY{living}@NODE", f"RAY{gone}@NODE", f"RAY{gone}@KV", f"RAY{gone}@KV", "RAYmine@KV", "session:RAY"]
    assert ray_gcs_state.stale(keys, {living}) == {gone: [f"RAY{gone}@KV", f"RAY{gone}@NODE"]}


def test_with_a_prefix_only_ones_own_keys_are_stale() -> None:
    gone = "1fb1b0e3-0a4a-4f53-a4c5-7c8f9b0d3a52"
    keys = [f"RAY{gone}@KV", f"RAYprod01-{gone}@KV", f"RAYprod011-{gone}@KV", f"RAYold-prod01-{gone}@KV"]
    assert ray_gcs_state.stale(keys, [], "prod01") == {gone: [f"RAYprod01-{gone}@KV"]}
    assert ray_gcs_state.stale(keys, []) == {gone: [f"RAY{gone}@KV"]}


def test_the_state_of_a_cluster_that_comes_meanwhile_stays() -> None:
    """It is made after the list of clusters was read, and writes before the keys are."""
    before, born, gone = (f"{number}fb1b0e3-0a4a-4f53-a4c5-7c8f9b0d3a51" for number in range(3))
    living = [before]

    class Redis:
        def command(self, *words: str) -> t.Any:
            assert words[0] == "SCAN"
            living.append(born)
            return ["0", [f"RAY{name}@KV" for name in (before, born, gone)]]

    class Clusters:
        def get(self, _path: str, _query: t.Any) -> t.Any:
            return {"items": [{"metadata": {"uid": name}} for name in living if name != before]}

    parts = t.cast("t.Any", Redis()), t.cast("t.Any", Clusters())
    assert ray_gcs_state.removable(*parts, {before}, "") == {gone: [f"RAY{gone}@KV"]}


def test_the_digest_of_secrets_changes_with_a_value_and_with_the_key_only() -> None:
    secrets = {"mlflow-ray": {"data": {"password": "b25l", "uri": "dXJp"}}}
    keys = [{"secret": "mlflow-ray", "key": "password"}, {"secret": "none", "key": "password"}]

    def found(given: t.Sequence[dict[str, str]] = keys) -> list[str | None]:
        return kube_secret_digest.values(lambda path: secrets.get(path.rpartition("/")[2]), "mlops", given)

    first = keyed_digest("k" * 32, found())
    assert found() == ["b25l", None]
    assert keyed_digest("k" * 32, found(keys[::-1])) == first
    assert keyed_digest("l" * 32, found()) != first
    secrets["mlflow-ray"]["data"]["uri"] = "b3RoZXI="
    assert keyed_digest("k" * 32, found()) == first
    secrets["none"] = {"data": {"password": "dGhlcmU="}}
    assert keyed_digest("k" * 32, found()) != first


def test_only_the_pods_of_clusters_that_are_gone_are_waited_for() -> None:
    def pod(name: str, **owner: str) -> dict[str, t.Any]:
        return {"metadata": {"name": name, "ownerReferences": [owner] if owner else []}}

    pods = {
        "1": pod("head", kind="RayCluster", uid="gone"),
        "2": pod("other", kind="RayCluster", uid="living"),
        "3": pod("job", kind="Job", uid="gone"),
        "4": pod("bare"),
    }
    assert ray_gcs_state.leftover(pods, {"living"}) == ["head"]
