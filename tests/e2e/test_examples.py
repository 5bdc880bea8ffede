"""The examples, as Python files and as notebooks, in a pod of the notebook image with the notebook's ServiceAccount."""

from __future__ import annotations

import base64
import io
import tarfile
import typing as t

import pytest
from e2e.cluster import ROOT, Cluster, in_namespace, pod

if t.TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE, POD, ACCOUNT = "mlops", "examples-test", "notebook"
SECRETS = {
    "MLFLOW_TRACKING_URI": ("mlflow-notebook", "uri"),
    "MLFLOW_TRACKING_USERNAME": ("mlflow-notebook", "username"),
    "MLFLOW_TRACKING_PASSWORD": ("mlflow-notebook", "password"),
    "AWS_ENDPOINT_URL": ("minio-notebook", "endpoint"),
    "AWS_ACCESS_KEY_ID": ("minio-notebook", "access_key"),
    "AWS_SECRET_ACCESS_KEY": ("minio-notebook", "secret_key"),
    "MLOPS_BUCKET": ("minio-notebook", "bucket"),
}


def packed() -> str:
    """The examples as an archive that goes through a text pipe."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.add(ROOT / "examples", "examples", filter=lambda item: None if "__pycache__" in item.name else item)
    return base64.b64encode(made.getvalue()).decode()


@pytest.fixture(scope="module")
def notebook(cluster: Cluster, image: t.Callable[[str], str]) -> Iterator[t.Callable[..., str]]:
    """Runs a command in the folder of an example."""
    found = cluster.kubectl("get", "rayservice", "ray", f"--namespace={NAMESPACE}", "--ignore-not-found", check=False)
    if not found.startswith("NAME"):
        pytest.skip("this lab runs no RayService mlops/ray")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    made = pod(POD, image("notebook"), ["sleep", "infinity"], uid=1000, gid=100, pull_secret="mlops-registry")
    made["spec"]["serviceAccountName"] = ACCOUNT
    environment = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in SECRETS.items()
    ]
    made["spec"]["containers"][0]["env"] = [*environment, {"name": "MLOPS_CODE_URL", "value": "s3://$(MLOPS_BUCKET)"}]
    cluster.apply(*in_namespace(NAMESPACE, account, made))
    try:
        cluster.wait("condition=Ready", f"pod/{POD}", NAMESPACE, timeout=180)
        unpack = ["exec", "--stdin", f"--namespace={NAMESPACE}", POD, "--", "sh", "-c", "base64 -d | tar -xz -C /tmp"]
        cluster.kubectl(*unpack, stdin=packed())

        def run(folder: str, *command: str) -> str:
            inside = ["sh", "-c", f'cd /tmp/examples/{folder} && exec "$@"', "run", *command]
            return cluster.execute(NAMESPACE, POD, *inside, timeout=900)

        yield run
    finally:
        cluster.kubectl("delete", "pod", POD, f"--namespace={NAMESPACE}", "--wait=false")


@pytest.mark.parametrize("example", ["iris", "custom_v1", "custom_v2"])
def test_the_example_runs_as_a_file(notebook: t.Callable[..., str], example: str) -> None:
    assert "is shut down" in notebook(example, "python", f"{example}.py")


@pytest.mark.parametrize("example", ["iris", "custom_v1", "custom_v2"])
def test_the_example_runs_as_a_notebook(notebook: t.Callable[..., str], example: str) -> None:
    assert "is shut down" in notebook(
        example, "jupyter", "nbconvert", "--to=markdown", "--execute", "--stdout", f"{example}.ipynb"
    )
