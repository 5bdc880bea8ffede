"""The examples, as Python files and as notebooks, in a pod of the notebook image with the notebook's ServiceAccount."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from e2e.cluster import ROOT
from e2e.notebook import NAMESPACE, Run, running_notebook, runs_ray

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster


pytestmark = pytest.mark.platform
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
CALL = f'import mlops; print(mlops.call("iris", [{ROW}]))'
CODE = "code"  # minio_code_bucket
REFUSED = f"""
import mlops
try:
    mlops.call("iris", [{ROW}])
except mlops.CallError as error:
    print(error)
"""


NONE = """
import mlops
from mlops import deploying
from mlops_ray.deploy import deploy
deployment = {"name": "Model", "ray_actor_options": {"num_cpus": 0.1}}
arguments = {"model_uri": "models:/none/1"}
entry = {"name": "none", "import_path": "mlops_serving.app:build", "args": arguments, "deployments": [deployment]}
try:
    deploy(deploying.service(), entry)
except mlops.DeployError as error:
    print(error)
"""
BY_HAND = """
import mlflow
client = mlflow.MlflowClient()
client.create_registered_model("iris-by-hand")
source = client.get_model_version_by_alias("iris", "champion").source
client.create_model_version("iris-by-hand", source, model_id=source.removeprefix("models:/"))
"""
PUT = f"""
import boto3, botocore.exceptions
client = boto3.client("s3")
print(client.list_objects_v2(Bucket="{CODE}", MaxKeys=1)["ResponseMetadata"]["HTTPStatusCode"])
try:
    client.put_object(Bucket="{CODE}", Key="from-a-worker", Body=b"x")
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
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


def model(cluster: Cluster, *variables: str, check: bool = False) -> str:
    """Run playbooks/model.yml, as a job of AWX does; in check mode it only plans."""
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "inventories/lab", "playbooks/model.yml"]
    extra = [part for variable in variables for part in ("-e", variable)]
    command += ["--limit", f"{cluster.name},storage", *extra, *(["--check"] if check else [])]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_a_registered_model_is_deployed_and_shut_down_from_ansible(notebook: Run, cluster: Cluster) -> None:
    """The example registered it."""
    assert "answers at ray-serve:8000/iris" in model(cluster, "model=iris@champion", "model_cpus=0.25")
    called = notebook("iris", "python", "-c", CALL)
    assert called.splitlines()[-1] == "[0]"
    assert "changed=0" in model(cluster, "model=iris@champion", "model_cpus=0.25").split("PLAY RECAP")[1]
    assert "iris: shut down" in model(cluster, "model=iris", "model_state=absent")
    assert "no model answers" in notebook("iris", "python", "-c", REFUSED)


def test_a_version_that_was_registered_by_hand_is_that_of_its_models_environment(
    notebook: Run, cluster: Cluster
) -> None:
    """It has no tag; the model itself says which environment made it."""
    try:
        notebook("iris", "python", "-c", BY_HAND)
        planned = model(cluster, "model=iris-by-hand", check=True)
        assert "answers at ray-serve:8000/iris-by-hand" in planned
        assert "failed=0" in planned
    finally:
        notebook("iris", "python", "-c", 'import mlflow; mlflow.MlflowClient().delete_registered_model("iris-by-hand")')


def test_an_application_of_a_model_that_does_not_exist_has_mlflows_words(notebook: Run) -> None:
    said = notebook("iris", "python", "-c", NONE)
    assert "none: the application cannot be deployed" in said
    assert "models:/none/1: MLflow does not give the model" in said
    assert "The application was taken out of the RayService again." in said


def test_a_worker_reads_code_and_writes_none(notebook: Run, cluster: Cluster) -> None:
    selector = "--selector=ray.io/node-type=worker"
    worker = cluster.get("pods", f"--namespace={NAMESPACE}", selector)["items"][0]["metadata"]["name"]
    said = cluster.execute(NAMESPACE, worker, "python", "-c", PUT)
    assert said.split() == ["200", "AccessDenied"]


def test_a_model_that_does_not_exist_is_named(notebook: Run, cluster: Cluster) -> None:
    said = model(cluster, "model=no-such-model@champion")
    assert "failed=1" in said
    assert "model: no-such-model@champion is not in MLflow's registry" in said.partition("FAILURES ")[2]
