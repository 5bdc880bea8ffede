"""Programs that write to the servers from pods of their own and say what was confirmed, for tests of what gets lost."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import typing as t

import pytest
from e2e.cluster import RESTRICTED

if t.TYPE_CHECKING:
    from e2e.platform import Platform

POSTGRESQL = """
n=0
while :; do
    n=$((n + 1))
    psql -qXc "INSERT INTO confirmed VALUES ($n)" 2>/dev/null && echo $n
done
"""
PGBENCH = "while :; do pgbench --client=4 --time=600 --no-vacuum postgres >/dev/null 2>&1; done"
REDIS = """
n=0
while :; do
    n=$((n + 1))
    [ "$(redis-cli -h redis set confirmed:$n 1 2>/dev/null)" = OK ] &&
        [ "$(redis-cli -h redis waitaof 1 0 5000 2>/dev/null | head -n 1)" = 1 ] && echo $n
done
"""
# The content follows from the number. A connection of each request's own, and one attempt: what was sent is known.
OBJECT = """
import hashlib, itertools, os
def content(number):
    return hashlib.sha256(str(number).encode()).digest() * 4096
"""
MINIO = f"""exec python -uc '{OBJECT}
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
once = Config(connect_timeout=3, read_timeout=60, retries=dict(total_max_attempts=1))
s3 = boto3.client("s3", endpoint_url="http://minio:9000", region_name="us-east-1", config=once)
for number in itertools.count(1):
    try:
        s3.put_object(Bucket="confirmed", Key=str(number), Body=content(number))
    except (BotoCoreError, ClientError):
        continue
    print(number)
'"""
MLFLOW = """exec python -uc '
import itertools, os, requests
auth = os.environ["LOGIN"], os.environ["PASSWORD"]
row = dict(run_id=os.environ["RUN_ID"], key="confirmed", value=1.0)
for number in itertools.count(1):
    try:
        answer = requests.post("http://mlflow:5000/api/2.0/mlflow/runs/log-metric", auth=auth, timeout=(3, 60),
                               json=dict(row, timestamp=number, step=number))
    except requests.RequestException:
        continue
    if answer.ok:
        print(number)
'"""


class Writer(t.NamedTuple):
    """A program, the component that it uses, the image that it runs in, and variables from the component's Secret."""

    component: str
    image: str
    script: str
    secrets: t.Mapping[str, tuple[str, str]]
    variables: t.Mapping[str, str] = {}


_POSTGRESQL = {"PGHOST": "postgresql", "PGUSER": "postgres", "PGCONNECT_TIMEOUT": "3"}
_PASSWORD = {"PGPASSWORD": ("postgresql", "password")}
WRITERS = {
    "postgresql": Writer("postgresql", "postgresql-0", POSTGRESQL, _PASSWORD, _POSTGRESQL),
    "pgbench": Writer("postgresql", "postgresql-0", PGBENCH, _PASSWORD, _POSTGRESQL),
    "redis": Writer("redis", "redis-0", REDIS, {"REDISCLI_AUTH": ("redis", "password")}),
    "minio": Writer(
        "minio",
        "deployment/mlflow",
        MINIO,
        {"AWS_ACCESS_KEY_ID": ("minio", "root_user"), "AWS_SECRET_ACCESS_KEY": ("minio", "root_password")},
    ),
    "mlflow": Writer(
        "mlflow",
        "deployment/mlflow",
        MLFLOW,
        {"LOGIN": ("mlflow", "username"), "PASSWORD": ("mlflow", "password")},
    ),
}


class Load(t.NamedTuple):
    """What the programs were told is written."""

    written: dict[str, list[int]]

    def await_more(self, name: str) -> None:
        """Wait until the next write is confirmed."""
        count = len(self.written[name])
        event = threading.Event()
        for _ in range(600):
            if len(self.written[name]) > count:
                return
            event.wait(0.2)
        pytest.fail(f"{name} took no write for two minutes")


@contextlib.contextmanager
def load(platform: Platform, *names: str, **variables: str) -> t.Iterator[Load]:
    """Writers in the background; each has written once. Variables go to all of them."""
    found = Load({name: [] for name in names})
    where = f"--namespace={platform.namespace}"
    with contextlib.ExitStack() as stack:
        for name in names:
            platform.cluster.apply(pod(platform, name, WRITERS[name], variables))
            stack.callback(platform.cluster.kubectl, "delete", "pod", f"client-{name}", where, "--grace-period=1")
            platform.cluster.wait("condition=Ready", f"pod/client-{name}", platform.namespace)
            stack.enter_context(followed(platform, name, found.written[name]))
        for name in set(names) - {"pgbench"}:
            found.await_more(name)
        yield found


@contextlib.contextmanager
def followed(platform: Platform, name: str, numbers: list[int]) -> t.Iterator[None]:
    """Keep what a client prints."""
    command = ("logs", f"client-{name}", f"--namespace={platform.namespace}", "--follow")
    process = platform.cluster.popen(*command, stdout=subprocess.PIPE)

    def read() -> None:
        assert process.stdout
        numbers.extend(int(line) for line in process.stdout)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        process.terminate()
        thread.join(30)


def image_of(platform: Platform, source: str) -> str:
    """The image of a pod's or a Deployment's first container."""
    kind, _slash, name = source.rpartition("/")
    found = platform.cluster.get(kind or "pod", name, f"--namespace={platform.namespace}")
    spec = found["spec"]["template"]["spec"] if kind else found["spec"]
    return t.cast("str", spec["containers"][0]["image"])


def pod(platform: Platform, name: str, writer: Writer, variables: t.Mapping[str, str]) -> dict[str, t.Any]:
    """A pod that uses a component."""
    environment: list[dict[str, t.Any]] = [
        {"name": key, "value": value} for key, value in {**writer.variables, **variables}.items()
    ]
    environment += [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": field}}}
        for key, (secret, field) in writer.secrets.items()
    ]
    container = {
        "name": "client",
        "image": image_of(platform, writer.image),
        "command": ["sh", "-c", writer.script],
        "env": environment,
        "securityContext": RESTRICTED,
    }
    spec = {
        "containers": [container],
        "securityContext": {"runAsUser": 999, "runAsGroup": 999},
        "imagePullSecrets": [{"name": "mlops-registry"}],
        "terminationGracePeriodSeconds": 1,
    }
    meta = {
        "name": f"client-{name}",
        "namespace": platform.namespace,
        "labels": {f"mlops.platform/uses-{writer.component}": "true"},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
