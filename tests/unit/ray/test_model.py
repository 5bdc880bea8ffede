# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registered model, deployed by name, version or alias."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._mlflow import MlflowError
from ansible_collections.mlops.platform.plugins.module_utils._mlflow import NotThereError as MlflowNotThereError
from ansible_collections.mlops.platform.plugins.module_utils._mlflow.client import RefusedError
from ansible_collections.mlops.platform.plugins.module_utils._ray import RayError, model, serve_config
from ansible_collections.mlops.platform.plugins.modules import ray_model

from .conftest import FakeKube

ENV = "py3.13-ray2.60.0"
PARAMS: dict[str, t.Any] = {
    **{name: option.get("default") for name, option in ray_model.SPEC.items()},
    "namespace": "mlops",
    "service": "ray",
    "wait_timeout": 5,
    "model": "iris",
}


class Registry:
    """MLflow's registry with one model of three versions."""

    def __init__(self, env_id: str | None = ENV, about: str = "") -> None:
        self.env_id, self.about = env_id, about

    def file_of_model(self, name: str, version: str, path: str) -> str:
        if not self.about:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", "not found")
        return self.about

    def version(self, number: str) -> dict[str, t.Any]:
        tags = [{"key": "mlops.env_id", "value": self.env_id}] if self.env_id else []
        return {"name": "iris", "version": number, "tags": tags}

    def call(self, method: str, function: str, /, **fields: t.Any) -> dict[str, t.Any]:
        assert method == "GET"
        if fields.get("name") not in (None, "iris"):
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", "not found")
        if function == "registered-models/alias":
            if fields["alias"] != "champion":
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", "Registered model alias not found.")
            return {"model_version": self.version("2")}
        if function == "model-versions/get":
            return {"model_version": self.version(fields["version"])}
        return {"model_versions": [self.version("3")] if "'iris'" in fields["filter"] else []}


@pytest.fixture
def known(kube: FakeKube) -> FakeKube:
    """A RayService that says its environment."""
    kube.service["metadata"]["annotations"] = {"mlops.platform/env-id": ENV, "mlops.platform/env-id-serves": "old"}
    return kube


def run(
    kube: FakeKube, registry: Registry | None = None, check: bool = False, **params: t.Any
) -> tuple[dict[str, t.Any], str]:
    def way(_params: t.Any) -> t.Any:
        return contextlib.nullcontext(registry or Registry())

    return ray_model.run({**PARAMS, **params}, check, kube, way)


@pytest.mark.parametrize(("model", "version"), [("iris", "3"), ("iris/1", "1"), ("models:/iris@champion", "2")])
def test_the_version_that_is_meant_is_deployed(known: FakeKube, model: str, version: str) -> None:
    done, warning = run(known, model=model)
    assert (done["changed"], done["version"], done["status"], done["route_prefix"]) == (
        True,
        version,
        "RUNNING",
        "/iris",
    )
    assert warning == ""
    entry = known.config["applications"][1]
    assert entry["args"] == {"model_uri": f"models:/iris/{version}"}
    assert entry["deployments"][0]["num_replicas"] == 2


def test_it_is_done_once_and_only_for_real(known: FakeKube) -> None:
    assert [run(known, check=check)[0]["changed"] for check in (True, False, True, False)] == [True, True, False, False]


def test_it_is_shut_down_without_mlflow(known: FakeKube) -> None:
    run(known)

    def no_way(_params: t.Any) -> t.Any:
        raise AssertionError("MLflow was asked")

    done, _warning = ray_model.run({**PARAMS, "state": "absent", "model": "iris@champion"}, False, known, no_way)
    assert (done["changed"], known.names) == (True, ["model-list"])


@pytest.mark.parametrize("check", [True, False])
def test_a_version_that_is_not_served_is_not_shut_down(known: FakeKube, check: bool) -> None:
    run(known, model="iris/2")
    with pytest.raises(RayError, match=r"iris serves models:/iris/2, not models:/iris/1; .*without a version"):
        run(known, check=check, model="iris/1", state="absent")
    assert known.names == ["model-list", "iris"]
    assert run(known, check=check, model="iris/2", state="absent")[0]["changed"]


def test_a_name_that_another_models_application_has_is_not_taken_from_it_silently(known: FakeKube) -> None:
    other = {"name": "iris", "import_path": "a.b:c", "args": {"model_uri": "models:/Iris!/7"}, "route_prefix": "/iris"}
    known.write(known.service, {"serveConfigV2": serve_config.dump({"applications": [other]})})
    for check in (True, False):
        with pytest.raises(RayError, match=r"^name: the application iris serves the model 'Iris!', not 'iris'"):
            run(known, check=check)
    assert known.config["applications"] == [other]
    assert run(known, name="iris")[0]["version"] == "3"
    assert not run(known)[0]["changed"]


def test_an_application_that_is_no_model_of_mlflow_is_shut_down_by_its_name(known: FakeKube) -> None:
    known.write(known.service, {"serveConfigV2": '{"applications": [{"name": "model-list"}, {"name": "iris"}]}'})
    assert run(known, check=True, model="iris/1", state="absent")[0]["changed"]


def test_a_model_of_another_environment_is_refused_or_warned_of(known: FakeKube) -> None:
    with pytest.raises(RayError, match="env_policy: the model was made in"):
        run(known, Registry("py3.12-ray2.59.0"))
    assert known.names == ["model-list"]
    done, warning = run(known, Registry("py3.12-ray2.59.0"), env_policy="warn")
    assert done["status"] == "RUNNING"
    assert "py3.12-ray2.59.0" in warning


def test_a_version_without_a_tag_is_that_of_its_model(known: FakeKube) -> None:
    assert run(known, Registry(None, f"metadata:\n  mlops.env_id: {ENV}\n"))[1] == ""


@pytest.mark.parametrize("about", ["", "metadata:\n", "flavors: {}\n", "[]"])
def test_a_model_that_does_not_say_its_environment_is_refused(known: FakeKube, about: str) -> None:
    with pytest.raises(RayError, match="the model does not say which environment made it"):
        run(known, Registry(None, about))


def test_an_older_environment_that_is_known_to_be_served_is(known: FakeKube) -> None:
    assert run(known, Registry("old"))[1] == ""


def test_a_service_that_does_not_say_its_environment_is_refused(kube: FakeKube) -> None:
    with pytest.raises(RayError, match="run the role ray_service"):
        run(kube)


def test_in_check_mode_what_is_not_there_yet_is_said(known: FakeKube) -> None:
    without_ray, _warning = run(known, check=True, service="other")
    without_mlflow, _warning = ray_model.run(PARAMS, True, known, nowhere)
    for done in (without_ray, without_mlflow):
        assert (done["changed"], done["not_verified"]) == (True, ["iris"])
    with pytest.raises(MlflowError, match="no MLflow"):
        ray_model.run(PARAMS, False, known, nowhere)
    with pytest.raises(RayError, match="there is no RayService"):
        run(known, service="other")


def nowhere(_params: t.Any) -> t.Any:
    raise MlflowNotThereError("no MLflow")


@pytest.mark.parametrize("check", [True, False])
def test_without_a_service_a_removal_is_done(known: FakeKube, check: bool) -> None:
    done, _warning = run(known, check=check, service="other", state="absent")
    assert (done["changed"], done["status"], done["not_verified"]) == (False, "", [])


def test_mlflow_may_have_a_namespace_of_its_own() -> None:
    assert ray_model.mlflow_params({**PARAMS})["namespace"] == "mlops"
    assert ray_model.mlflow_params({**PARAMS, "mlflow_namespace": "tracking"})["namespace"] == "tracking"


@pytest.mark.parametrize(("name", "text"), [("iris", "name = 'iris'"), ("it's", 'name = "it\'s"')])
def test_mlflow_is_asked_with_quotes_that_the_name_does_not_have(name: str, text: str) -> None:
    assert model.versions_of(name) == text


@pytest.mark.parametrize("model", ["wine", "wine/1", "wine@champion", "iris@none"])
def test_a_model_that_is_not_there_is_named(known: FakeKube, model: str) -> None:
    with pytest.raises(MlflowError, match=rf"model: {model} (is not in|has no version in) MLflow's registry"):
        run(known, model=model)
