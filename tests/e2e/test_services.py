"""MinIO and MLflow on the lab: what they keep, how they are reached with TLS, what they hide, and a schema's change."""

from __future__ import annotations

import os
import secrets
import typing as t

import pytest
import requests
import urllib3
from e2e.databases import (
    assert_hidden,
    certificate,
    content,
    hidden,
    leases,
    minio,
    node_port,
    put,
    ready,
    secret,
)
from e2e.platform import Platform, own_platform
from e2e.tracking import Tracking, login, tracking
from minio import Minio

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.cluster import Cluster

SERVICES = ("postgresql", "minio", "mlflow")
# Other secrets; a run without them would not know those of the server.
RAISED = {
    "minio_root_password_generation": 3,
    "mlflow_admin_password_generation": 3,
    "mlflow_database_password_generation": 3,
    "mlflow_s3_secret_generation": 3,
    "mlflow_flask_secret_key_generation": 3,
    "mlflow_users": [{"username": "ana", "generation": 3}],
}
# One step back in the history of the tracking database, as an older MLflow would have left it.
DOWNGRADE = """
import os
from alembic import command
from mlflow.store.db import utils
engine = utils.create_sqlalchemy_engine_with_retry(os.environ["MLFLOW_BACKEND_STORE_URI"])
config = utils._get_alembic_config(os.environ["MLFLOW_BACKEND_STORE_URI"])
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.downgrade(config, "-1")
assert utils._get_schema_version(engine) != utils._get_latest_schema_revision()
"""


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """MLflow on a PostgreSQL and a MinIO of its own."""
    with own_platform(cluster, "postgresql", "minio", **leases(9)) as found:
        found.roles(*SERVICES)
        yield found


def servers(platform: Platform) -> list[str]:
    """The pods of MLflow."""
    selector = "--selector=app.kubernetes.io/name=mlflow"
    return platform.cluster.kubectl(
        "get", "pods", f"--namespace={platform.namespace}", selector, "--output=name"
    ).split()


def test_what_was_stored_survives_the_loss_of_every_pod(platform: Platform) -> None:
    stored = os.urandom(1 << 20)
    with minio(platform) as client:
        put(client, "every-pod", stored)
    with tracking(platform) as client:
        run = client.log("every-pod", stored)
    before = servers(platform)
    platform.cluster.kubectl("delete", "pods", "--all", f"--namespace={platform.namespace}")
    for component in ("postgresql", "minio"):
        ready(platform, component, "create")
        ready(platform, component)
    platform.cluster.wait("condition=Available", "deployment/mlflow", platform.namespace, timeout=300)
    assert not set(before) & set(servers(platform))
    with minio(platform) as client:
        assert content(client, "every-pod") == stored
    with tracking(platform) as client:
        assert client.read(run) == ({"loss": 0.25}, stored)


def test_an_older_schema_is_migrated_while_no_server_runs(platform: Platform) -> None:
    stored = os.urandom(1000)
    with tracking(platform) as client:
        run = client.log("older-schema", stored)
    before = servers(platform)
    platform.cluster.execute(platform.namespace, before[0], "python", "-c", DOWNGRADE)
    platform.roles("mlflow", mlflow_pod_annotations={"version": "another"})
    said = platform.logs("job/mlflow-database").splitlines()
    steps = [line for line in said if line.startswith("migrate: ")]
    assert steps[0] == "migrate: the servers are stopped for the time of the migration"
    assert steps[1].startswith("migrate: the tracking database goes from schema ")
    assert servers(platform)
    assert not set(before) & set(servers(platform))
    with tracking(platform) as client:
        assert client.read(run) == ({"loss": 0.25}, stored)


def test_no_secret_is_in_what_ansible_prints_or_keeps(platform: Platform) -> None:
    before = hidden(platform)
    options = ("--diff", "-vvv")
    shown = platform.play("tests/e2e/roles.yml", *options, roles_under_test=["minio", "mlflow"], **RAISED)
    after = hidden(platform)
    assert len(after - before) >= 6
    assert_hidden(platform, before | after, shown)


def speaks_plainly(host: str, port: int) -> bool:
    """Whether a server takes requests without TLS."""
    try:
        return requests.get(f"http://{host}:{port}/health", timeout=20).ok
    except requests.ConnectionError:
        return False


def test_with_tls_and_a_node_port_both_are_reached_from_outside_and_only_with_tls(
    platform: Platform, tmp_path: Path
) -> None:
    authority = str(certificate(platform, tmp_path, "minio", "mlflow"))
    outside = {"exposure": {"type": "node_port"}, "tls": {"secret": "own-tls"}}
    variables = {f"{component}_{name}": value for component in ("minio", "mlflow") for name, value in outside.items()}
    # MLflow stores artifacts with TLS too, and trusts the authority.
    variables |= RAISED | {"object_store_endpoint": "https://minio:9000", "object_store_ca_secret": "own-tls"}
    platform.roles("minio", "mlflow", **variables)
    assert "changed=0" in platform.roles("minio", "mlflow", **variables)

    host, stored, name = platform.cluster.facts["address"], os.urandom(1 << 20), secrets.token_hex(4)
    port, root = node_port(platform, "minio"), secret(platform, "minio")
    pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=authority)
    store = Minio(f"{host}:{port}", root["root_user"], root["root_password"], region="us-east-1", http_client=pool)
    put(store, name, stored)
    assert content(store, name) == stored
    assert not speaks_plainly(host, port)

    port = node_port(platform, "mlflow")
    server = Tracking(f"https://{host}:{port}", login(platform), authority)
    assert server.read(server.log(name, stored)) == ({"loss": 0.25}, stored)
    assert not speaks_plainly(host, port)
    with pytest.raises(requests.exceptions.SSLError):
        Tracking(f"https://{host}:{port}", login(platform)).ask("GET", "mlflow/users/current")

    platform.roles("minio", "mlflow", **RAISED)
    services = platform.cluster.get("services", f"--namespace={platform.namespace}")["items"]
    assert sorted(service["metadata"]["name"] for service in services) == ["minio", "mlflow", "postgresql"]
