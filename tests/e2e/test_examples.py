"""The examples, as Python files and as notebooks, in a pod of the notebook image with the notebook's ServiceAccount."""

from __future__ import annotations

import typing as t

import pytest
from e2e.notebook import Run, running_notebook, runs_ray

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster


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
