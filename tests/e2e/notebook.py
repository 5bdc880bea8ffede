"""A pod of the notebook image with the notebook's ServiceAccount: a data scientist's place on the platform."""

from __future__ import annotations

import base64
import contextlib
import io
import tarfile
import typing as t

from e2e.cluster import ROOT, Cluster, in_namespace, pod

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
Run = t.Callable[..., str]


def packed() -> str:
    """The examples as an archive that goes through a text pipe."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.add(ROOT / "examples", "examples", filter=lambda item: None if "__pycache__" in item.name else item)
    return base64.b64encode(made.getvalue()).decode()


def runs_ray(cluster: Cluster) -> bool:
    """Whether the platform's RayService is there."""
    found = cluster.kubectl("get", "rayservice", "ray", f"--namespace={NAMESPACE}", "--ignore-not-found", check=False)
    return found.startswith("NAME")


@contextlib.contextmanager
def running_notebook(cluster: Cluster, image: str) -> t.Iterator[Run]:
    """Gives a function that runs a command in the folder of an example; the pod is removed at the end."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    made = pod(POD, image, ["sleep", "infinity"], uid=1000, gid=100, pull_secret="mlops-registry")
    made["spec"]["serviceAccountName"] = ACCOUNT
    environment = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in SECRETS.items()
    ]
    # A share of the processor of its own: it also asks the models of a benchmark.
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "200m"}}
    made["spec"]["containers"][0]["env"] = [*environment, {"name": "MLOPS_CODE_URL", "value": "s3://$(MLOPS_BUCKET)"}]
    cluster.apply(*in_namespace(NAMESPACE, account, made))

    def run(folder: str, *command: str) -> str:
        inside = ["sh", "-c", f'cd /tmp/examples/{folder} && exec "$@"', "run", *command]
        return cluster.execute(NAMESPACE, POD, *inside, timeout=900)

    try:
        cluster.wait("condition=Ready", f"pod/{POD}", NAMESPACE, timeout=180)
        unpack = ["exec", "--stdin", f"--namespace={NAMESPACE}", POD, "--", "sh", "-c", "base64 -d | tar -xz -C /tmp"]
        cluster.kubectl(*unpack, stdin=packed())
        yield run
    finally:
        cluster.kubectl("delete", "pod", POD, f"--namespace={NAMESPACE}")
