# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploying and removing one application, against an operator that reports late."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._ray import (
    AwayError,
    ConflictError,
    DeployError,
    NotThereError,
    RayError,
    serve_config,
)
from ansible_collections.mlops.platform.plugins.module_utils._ray import deploy as deploy_module
from ansible_collections.mlops.platform.plugins.module_utils._ray.deploy import Options, deploy, undeploy
from ansible_collections.mlops.platform.plugins.module_utils._ray.patience import patiently
from ansible_collections.mlops.platform.plugins.module_utils._ray.service import Service
from ansible_collections.mlops.platform.plugins.module_utils._ray.wait import Wait

from .conftest import FakeKube

IRIS = {"name": "iris", "import_path": "mlops_serving.app:build", "deployments": [{"name": "Model", "num_replicas": 2}]}
SHORT = Options(timeout=5)


def entry_of(kube: FakeKube, name: str) -> dict[str, t.Any]:
    found = serve_config.find(kube.config, name)
    assert found is not None
    return found


def test_a_new_application_runs_and_the_others_stay(kube: FakeKube, service: Service) -> None:
    done = deploy(service, IRIS, SHORT)
    assert (done.changed, done.state.status) == (True, "RUNNING")
    assert kube.names == ["model-list", "iris"]
    assert entry_of(kube, "iris")["route_prefix"] == "/iris"
    assert entry_of(kube, "iris")["deployments"][0]["max_replicas_per_node"] == 1


def test_the_same_again_changes_nothing_and_still_waits(kube: FakeKube, service: Service) -> None:
    deploy(service, IRIS, SHORT)
    patches = len(kube.patches)
    done = deploy(service, IRIS, SHORT)
    assert (done.changed, done.state.status, len(kube.patches)) == (False, "RUNNING", patches)


def test_a_dry_run_writes_nothing(kube: FakeKube, service: Service) -> None:
    done = deploy(service, IRIS, Options(dry_run=True))
    assert done.changed
    assert kube.patches == []


def test_a_removal_waits_until_it_is_gone(kube: FakeKube, service: Service) -> None:
    deploy(service, IRIS, SHORT)
    done = undeploy(service, "iris", SHORT)
    assert (done.changed, kube.names, "iris" in kube.running) == (True, ["model-list"], False)
    assert not undeploy(service, "iris", SHORT).changed


def test_an_old_report_of_running_is_not_taken_for_the_new_one(kube: FakeKube, service: Service) -> None:
    deploy(service, IRIS, SHORT)
    kube.outcomes["broken.app:build"] = ("DEPLOY_FAILED", "ImportError: no module named broken")
    with pytest.raises(DeployError, match="no module named broken"):
        deploy(service, {**IRIS, "import_path": "broken.app:build"}, SHORT)


def test_what_was_there_before_is_put_back_when_an_update_fails(kube: FakeKube, service: Service) -> None:
    deploy(service, IRIS, SHORT)
    kube.outcomes["broken.app:build"] = ("DEPLOY_FAILED", "no")
    with pytest.raises(DeployError, match="of before was put back"):
        deploy(service, {**IRIS, "import_path": "broken.app:build"}, SHORT)
    assert entry_of(kube, "iris")["import_path"] == IRIS["import_path"]


def test_a_new_application_that_fails_is_taken_out_again(kube: FakeKube, service: Service) -> None:
    kube.outcomes[IRIS["import_path"]] = ("DEPLOY_FAILED", "the model does not exist")
    with pytest.raises(DeployError, match="the model does not exist"):
        deploy(service, IRIS, SHORT)
    assert kube.names == ["model-list"]


def test_a_failed_application_stays_where_that_is_wanted(kube: FakeKube, service: Service) -> None:
    kube.outcomes[IRIS["import_path"]] = ("DEPLOY_FAILED", "no")
    with pytest.raises(DeployError):
        deploy(service, IRIS, Options(timeout=5, restore=False))
    assert kube.names == ["model-list", "iris"]


def test_a_failed_application_that_is_as_wanted_is_not_tried_again_and_that_is_said(
    kube: FakeKube, service: Service
) -> None:
    kube.outcomes[IRIS["import_path"]] = ("DEPLOY_FAILED", "MLflow was away")
    kept = Options(timeout=5, restore=False)
    for words in (r"MLflow was away\Z", r"MLflow was away\n.*shut it down and deploy it again\.\Z"):
        with pytest.raises(DeployError, match=words):
            deploy(service, IRIS, kept)


def test_rays_own_words_are_shown_when_it_refuses_a_configuration(kube: FakeKube, service: Service) -> None:
    kube.refuse = lambda config: "400 Bad Request: wrong field" if len(config["applications"]) > 1 else ""
    with pytest.raises(DeployError, match="400 Bad Request: wrong field"):
        deploy(service, IRIS, SHORT)
    assert kube.names == ["model-list"]


def test_an_old_refusal_is_not_taken_for_a_new_one(kube: FakeKube, service: Service) -> None:
    old = {"metadata": {"uid": "old"}, "count": 3, "message": "UpdateDeployments fail: 400 Bad Request: long ago"}
    kube.events.append(old)
    assert deploy(service, IRIS, SHORT).state.status == "RUNNING"


def test_an_unreachable_head_is_no_refusal(kube: FakeKube, service: Service) -> None:
    answers = iter(["Put http://head: context deadline exceeded", ""])
    kube.refuse = lambda _config: next(answers, "")
    assert deploy(service, IRIS, SHORT).state.status == "RUNNING"


def test_two_who_change_at_the_same_time_both_win(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"name": "other", "import_path": "a.b:c", "route_prefix": "/other"}
    patch = kube.patch

    def slower(path: str, query: t.Any, body: t.Any) -> t.Any:
        if "other" not in kube.names:
            changed = serve_config.with_entry(kube.config, "other", other)
            kube.write(kube.service, {"serveConfigV2": serve_config.dump(changed)})
        return patch(path, query, body)

    monkeypatch.setattr(kube, "patch", slower)
    deploy(service, IRIS, SHORT)
    assert sorted(kube.names) == ["iris", "model-list", "other"]


@pytest.mark.parametrize("conflicts", [50, None])
def test_a_write_collides_with_others_as_long_as_there_is_time(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch, conflicts: int | None
) -> None:
    patch, left = kube.patch, itertools.repeat(None) if conflicts is None else iter(range(conflicts))

    def contended(path: str, query: t.Any, body: t.Any) -> t.Any:
        if next(left, "none") != "none":
            raise ConflictError("the object has been modified")
        return patch(path, query, body)

    monkeypatch.setattr(kube, "patch", contended)
    if conflicts:
        assert deploy(service, IRIS, SHORT).state.status == "RUNNING"
        return
    monkeypatch.setattr(deploy_module, "PATIENCE", 0.1)
    with pytest.raises(RayError, match="iris: others change the RayService all the time; try again"):
        deploy(service, IRIS, Options(timeout=0.1))


def test_a_head_that_is_away_is_named(kube: FakeKube, service: Service) -> None:
    kube.head_away = True
    with pytest.raises(DeployError, match="Ray's head does not report"):
        deploy(service, IRIS, Options(timeout=0.2))


def test_a_change_of_white_space_is_made_only_where_there_was_an_application(kube: FakeKube, service: Service) -> None:
    deploy(service, IRIS, SHORT)
    assert len(kube.patches) == 1
    deploy(service, {**IRIS, "args": {"a": 1}}, SHORT)
    assert len(kube.patches) == 3
    assert serve_config.parse(kube.patches[1]["spec"]["serveConfigV2"]) == serve_config.parse(
        kube.patches[2]["spec"]["serveConfigV2"]
    )


def test_a_service_that_is_always_changed_by_others_ends_the_wait(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(service, IRIS, SHORT)
    patch, written = kube.patch, len(kube.patches)

    def contended(path: str, query: t.Any, body: t.Any) -> t.Any:
        if len(kube.patches) == written + 1:
            raise ConflictError("the object has been modified")
        return patch(path, query, body)

    monkeypatch.setattr(kube, "patch", contended)
    with pytest.raises(DeployError, match="iris: the application does not run in time"):
        deploy(service, {**IRIS, "args": {"a": 1}}, Options(timeout=0.3, restore=False))


def test_the_applications_own_error_is_told_when_nothing_can_be_put_back(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    kube.outcomes[IRIS["import_path"]] = ("DEPLOY_FAILED", "the model does not exist")
    patch = kube.patch

    def once(path: str, query: t.Any, body: t.Any) -> t.Any:
        if kube.patches:
            raise RayError("the API server refused: quota")
        return patch(path, query, body)

    monkeypatch.setattr(kube, "patch", once)
    with pytest.raises(DeployError, match=r"the model does not exist\n.*could not be put back: .*quota"):
        deploy(service, IRIS, SHORT)


def test_a_service_that_vanishes_meanwhile_is_named_and_a_removal_is_done(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(service, IRIS, SHORT)
    get, patch, gone = kube.get, kube.patch, []

    def vanishing(path: str, query: t.Any, body: t.Any) -> t.Any:
        gone.append(path)
        return patch(path, query, body)

    monkeypatch.setattr(kube, "patch", vanishing)
    monkeypatch.setattr(kube, "get", lambda path, query: None if path in gone else get(path, query))
    with pytest.raises(NotThereError, match="there is no RayService mlops/ray"):
        deploy(service, {**IRIS, "args": {"a": 1}}, SHORT)
    gone.clear()
    done = undeploy(service, "iris", SHORT)
    assert (done.changed, done.state.status) == (True, "")


def test_a_write_whose_answer_was_lost_counts_as_a_change(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = kube.patch

    def lossy(path: str, query: t.Any, body: t.Any) -> t.Any:
        found = patch(path, query, body)
        if len(kube.patches) == 1:
            raise AwayError("the API server does not answer")
        return found

    monkeypatch.setattr(kube, "patch", lossy)
    done = deploy(service, IRIS, SHORT)
    assert (done.changed, done.before, len(kube.patches)) == (True, None, 1)
    assert done.after == entry_of(kube, "iris")


def test_an_api_server_that_is_away_is_asked_again_until_the_deadline(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, faults = kube.get, [AwayError("no answer")]

    def flaky(path: str, query: t.Any) -> t.Any:
        if faults and kube.patches:
            raise faults.pop()
        return get(path, query)

    monkeypatch.setattr(kube, "get", flaky)
    assert deploy(service, IRIS, SHORT).state.status == "RUNNING"
    assert faults == []
    faults.extend([AwayError("no answer")] * 9)
    with pytest.raises(AwayError, match="no answer"):
        patiently(service.read, 0.0)


def test_what_somebody_else_changed_meanwhile_is_not_put_back(
    kube: FakeKube, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {**IRIS, "args": {"a": "theirs"}}

    def until(_self: Wait, _now: t.Any, present: bool, updated: bool) -> t.NoReturn:
        changed = serve_config.with_entry(kube.config, "iris", theirs)
        kube.write(kube.service, {"serveConfigV2": serve_config.dump(changed)})
        raise DeployError("iris: no")

    monkeypatch.setattr(Wait, "until", until)
    with pytest.raises(DeployError, match=r"iris: no\nSomebody else has changed the application meanwhile"):
        deploy(service, IRIS, SHORT)
    assert entry_of(kube, "iris") == theirs


def test_the_platforms_own_application_is_left_alone(service: Service) -> None:
    with pytest.raises(RayError, match="the platform's own"):
        undeploy(service, "model-list", SHORT)
    with pytest.raises(RayError, match="the platform's own"):
        deploy(service, {"name": "model-list", "import_path": "a.b:c"}, SHORT)


def test_a_removal_needs_a_name(service: Service) -> None:
    with pytest.raises(RayError, match="name: it is missing"):
        undeploy(service, "", SHORT)


def test_without_a_service_the_message_says_what_to_do(kube: FakeKube) -> None:
    with pytest.raises(NotThereError, match="install the platform's Ray first"):
        deploy(Service(kube, "mlops", "other"), IRIS, SHORT)
