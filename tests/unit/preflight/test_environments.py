# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventories user, desa, test and prod, with every placeholder filled in."""

from __future__ import annotations

import functools
import shutil
import typing as t
from pathlib import Path

import pytest
import yaml
from playbook import run
from rendering import ROOT, Object, loader, objects, role_file

COMPONENTS = ("postgresql", "redis", "minio", "mlflow", "kuberay_operator", "ray_service")
KEY = "platform_master_key=0123456789abcdef0123456789abcdef"


def filled_in(environment: str, folder: Path) -> Path:
    """A copy of the inventory with values in the place of its placeholders."""
    copy = shutil.copytree(ROOT / "inventories" / environment, folder / environment)
    for path in copy.rglob("*.yml"):
        path.write_text(path.read_text().replace("CHANGE_ME", "example.org"))
    return copy


@pytest.mark.parametrize("environment", ["user", "desa", "test", "prod"])
def test_an_example_without_its_placeholders_is_right(tmp_path: Path, environment: str) -> None:
    status, text = run("inventory", "-i", str(filled_in(environment, tmp_path)), "--extra-vars", KEY)
    assert status == 0, text
    assert "ok=1" in text


@pytest.mark.parametrize("environment", ["user", "desa", "test", "prod"])
def test_the_kubeconfig_that_awx_gives_is_the_one_that_an_example_reads(tmp_path: Path, environment: str) -> None:
    arguments = ("-i", str(filled_in(environment, tmp_path)), "--limit", f"{environment}01", "--extra-vars", KEY)
    awx = {"K8S_AUTH_KUBECONFIG": "/awx/kubeconfig"}
    own = {**awx, f"{environment.upper()}01_KUBECONFIG": "/own/kubeconfig"}
    for given, path in ((awx, "/awx/kubeconfig"), (own, "/own/kubeconfig")):
        status, text = run("preflight", *arguments, environment=given)
        assert status != 0
        assert f"kubeconfig {path} cannot be read" in text


@pytest.mark.parametrize("environment", ["user", "desa", "test", "prod"])
def test_the_database_takes_all_connections_of_mlflow(environment: str) -> None:
    """Each worker has an engine for the runs and one for the users; an update runs one replica more."""
    said = yaml.safe_load((ROOT / "inventories" / environment / "group_vars/all/components.yml").read_text())
    value = {**role_file("mlflow", "defaults"), **said}
    usual = role_file("mlflow", "vars")["__mlflow_usual_environment"]
    pool = usual["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"] + usual["MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"]
    server = {**role_file("postgresql", "vars")["__postgresql_config"], **said.get("postgresql_config", {})}
    assert (value["mlflow_replicas"] + 1) * value["mlflow_workers"] * 2 * pool < server["max_connections"]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """The variables of prod."""
    folder = filled_in("prod", tmp_path_factory.mktemp("prod")) / "group_vars" / "all"
    files = [loader().load_from_file(str(path), trusted_as_template=True) for path in sorted(folder.glob("*.yml"))]
    found = {name: value for content in files for name, value in content.items() if name != "platform_master_key"}
    return {**found, "mlops_environment": "prod"}


@pytest.fixture(scope="module")
def prod(values: dict[str, t.Any]) -> t.Callable[[str], list[Object]]:
    """The objects of a role as prod has them."""
    return functools.cache(lambda role: objects(role, **values))


def pods(value: t.Any) -> t.Iterator[Object]:
    """All specs of pods, however deep they lie."""
    if isinstance(value, dict) and "containers" in value:
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from pods(item)


@pytest.mark.parametrize("role", COMPONENTS)
def test_every_pod_of_prod_has_a_priority_that_the_inventory_makes(
    prod: t.Callable[[str], list[Object]], values: dict[str, t.Any], role: str
) -> None:
    made = set(values["cluster_base_priority_classes"])
    wanted = {spec.get("priorityClassName") for spec in pods(prod(role))}
    assert wanted <= made
    assert wanted


@pytest.mark.parametrize("role", ["mlflow", "kuberay_operator"])
def test_what_can_have_replicas_has_them_in_prod_with_a_disruption_budget(
    prod: t.Callable[[str], list[Object]], role: str
) -> None:
    (deployment,) = [found for found in prod(role) if found["kind"] == "Deployment"]
    (budget,) = [found for found in prod(role) if found["kind"] == "PodDisruptionBudget"]
    assert deployment["spec"]["replicas"] >= 2
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_workers_of_prod_are_several_and_have_a_disruption_budget(prod: t.Callable[[str], list[Object]]) -> None:
    (service,) = [found for found in prod("ray_service") if found["kind"] == "RayService"]
    groups = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    assert [group["replicas"] >= 2 for group in groups] == [True]
    assert [found["kind"] for found in prod("ray_service")].count("PodDisruptionBudget") >= 1


def test_every_container_of_prod_has_a_limit_of_memory(prod: t.Callable[[str], list[Object]]) -> None:
    for role in COMPONENTS:
        for spec in pods(prod(role)):
            names = [one["name"] for one in spec["containers"] if "memory" not in one["resources"]["limits"]]
            assert names == [], role
