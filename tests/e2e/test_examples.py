"""The examples, as Python files and as notebooks, in a pod of the notebook image with the notebook's ServiceAccount."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from e2e.cluster import ROOT
from e2e.notebook import Run, running_notebook, runs_ray

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster


ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
CALL = f'import mlops; print(mlops.call("iris", [{ROW}]))'
REFUSED = f"""
import mlops
try:
    mlops.call("iris", [{ROW}])
except mlops.CallError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def notebook(cluster: Cluster, image: t.Callable[[str], str]) -> Iterator[Run]:
    """Runs a command in the folder of an example."""
    if not runs_ray(cluster):
        pytest.skip("this lab runs no RayService mlops/ray")
    with running_notebook(cluster, image("notebook")) as run:
        yield run


@pytest.mark.parametrize("example", ["iris", "custom_v1", "custom_v2"])
def test_the_example_runs_as_a_file(notebook: Run, example: str) -> None:
    assert "is shut down" in notebook(example, "python", f"{example}.py")


@pytest.mark.parametrize("example", ["iris", "custom_v1", "custom_v2"])
def test_the_example_runs_as_a_notebook(notebook: Run, example: str) -> None:
    assert "is shut down" in notebook(
        example, "jupyter", "nbconvert", "--to=markdown", "--execute", "--stdout", f"{example}.ipynb"
    )


def model(cluster: Cluster, *variables: str) -> str:
    """Run playbooks/model.yml, as a job of AWX does."""
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "inventories/lab", "playbooks/model.yml"]
    extra = [part for variable in variables for part in ("-e", variable)]
    command += ["--limit", f"{cluster.name},storage", *extra]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_a_registered_model_is_deployed_and_shut_down_from_ansible(notebook: Run, cluster: Cluster) -> None:
    """The example registered it."""
    assert "answers at ray-serve:8000/iris" in model(cluster, "model=iris@champion", "model_cpus=0.25")
    called = notebook("iris", "python", "-c", CALL)
    assert called.splitlines()[-1] == "[0]"
    assert "changed=0" in model(cluster, "model=iris@champion", "model_cpus=0.25").split("PLAY RECAP")[1]
    assert "iris: shut down" in model(cluster, "model=iris", "model_state=absent")
    assert "no model answers" in notebook("iris", "python", "-c", REFUSED)


def test_a_model_that_does_not_exist_is_named(notebook: Run, cluster: Cluster) -> None:
    said = model(cluster, "model=no-such-model@champion")
    assert "failed=1" in said
    assert "model: no-such-model@champion is not in MLflow's registry" in said.partition("FAILURES ")[2]
