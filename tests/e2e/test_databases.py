"""PostgreSQL and Redis on the lab: one writer on a folder, and what is said when a folder cannot be used."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import re
import signal
import socket
import ssl
import typing as t

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from e2e.platform import Platform, own_platform

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.cluster import Cluster
    from testinfra.host import Host

LEASE = {"postgresql_lease_seconds": 9, "redis_lease_seconds": 9}


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """PostgreSQL and Redis with short leases."""
    with own_platform(cluster, "postgresql", "redis", **LEASE) as found:
        found.roles()
        yield found


def psql(platform: Platform, statement: str) -> str:
    """The answer of PostgreSQL over the local socket."""
    return platform.cluster.execute(platform.namespace, "postgresql-0", "psql", "-AtqX", "-c", statement).strip()


def redis(platform: Platform, *words: str) -> str:
    """The answer of Redis to its administrator."""
    sign_in = 'REDISCLI_AUTH=$(cat /run/secrets/redis/password) exec redis-cli "$@"'
    return platform.cluster.execute(platform.namespace, "redis-0", "sh", "-c", sign_in, "sh", *words).strip()


COMPONENTS = ("postgresql", "redis")


def write(platform: Platform) -> None:
    """Something that must not get lost."""
    psql(platform, "CREATE TABLE IF NOT EXISTS kept (answer int); TRUNCATE kept; INSERT INTO kept VALUES (42)")
    redis(platform, "set", "kept", "42")
    redis(platform, "waitaof", "1", "0", "5000")


def assert_kept(platform: Platform) -> None:
    assert (psql(platform, "SELECT answer FROM kept"), redis(platform, "get", "kept")) == ("42", "42")


def ready(platform: Platform, component: str, condition: str = "condition=Ready") -> None:
    platform.cluster.wait(condition, f"pod/{component}-0", platform.namespace)


def next_restart(platform: Platform, component: str) -> str:
    """The condition that a pod's container has started once more than until now."""
    count = platform.pod(f"{component}-0")["status"]["containerStatuses"][0]["restartCount"]
    return f"jsonpath={{.status.containerStatuses[0].restartCount}}={count + 1}"


@pytest.mark.parametrize("component", COMPONENTS)
def test_data_survive_a_forced_delete(platform: Platform, component: str) -> None:
    write(platform)
    cluster, name = platform.cluster, f"{component}-0"
    old = platform.pod(name)["metadata"]["uid"]
    cluster.kubectl("delete", "pod", name, f"--namespace={platform.namespace}", "--force", "--grace-period=0")
    ready(platform, component, "create")
    ready(platform, component)
    assert platform.pod(name)["metadata"]["uid"] != old
    assert_kept(platform)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_killed_server_starts_again_in_its_pod_without_waiting(platform: Platform, component: str) -> None:
    """The same pod has nobody to wait for: its lease is its own."""
    write(platform)
    restarted = next_restart(platform, component)
    platform.signal(f"{component}-0", signal.SIGKILL, wrapper_only=True)
    ready(platform, component, restarted)
    ready(platform, component)
    assert "waiting" not in platform.logs(f"{component}-0")
    assert_kept(platform)


@pytest.mark.full
def test_a_second_cluster_on_the_same_folder_is_kept_out_until_the_first_is_gone(platform: Platform) -> None:
    """Two clusters were given one folder by mistake; then the node of the first is paused, and comes back."""
    write(platform)
    with own_platform(
        platform.cluster,
        *COMPONENTS,
        cluster_name="intruder",
        mlops_nfs_folder=platform.folder,
        own_folders=False,
        **LEASE,
    ) as intruder:
        for component in COMPONENTS:
            said = intruder.roles(component, check=False, **{f"{component}_wait_timeout": 20})
            assert re.search(rf'held by cluster "{platform.cluster.name}" \(https://.*\), pod {component}-0', said)
        assert_kept(platform)

        for component in COMPONENTS:
            platform.signal(f"{component}-0", signal.SIGSTOP)
        for component in COMPONENTS:
            ready(intruder, component)
        assert psql(intruder, "SELECT answer FROM kept") == "42"
        for component in COMPONENTS:
            restarted = next_restart(platform, component)
            platform.signal(f"{component}-0", signal.SIGCONT)
            ready(platform, component, restarted)
            said = platform.logs(f"{component}-0", "--previous")
            assert "lease: stopping the server at once: " in said
            assert 'held by cluster "intruder"' in platform.logs(f"{component}-0")
    for component in COMPONENTS:
        ready(platform, component)
    assert_kept(platform)


def test_a_volume_of_another_user_is_refused_with_the_remedy(platform: Platform) -> None:
    wrong = {"postgresql": {"uid": 4242, "storage_class": "molecule-wrong"}}
    with own_platform(
        platform.cluster, "postgresql", mlops_components_override=wrong, postgresql_uid=999, **LEASE
    ) as other:
        said = other.roles(check=False, postgresql_wait_timeout=20)
    assert "files on the volume belong to uid 4242, this server runs as uid 999" in said


def test_a_folder_of_another_major_version_is_refused_with_the_steps(platform: Platform, nfs01: Host) -> None:
    version = f"/bitnami/{platform.folder}/postgresql/data/pgdata/PG_VERSION"
    platform.roles("postgresql", postgresql_state="absent")
    assert nfs01.run(f"sed -i s/17/16/ {version}").succeeded
    try:
        said = platform.roles("postgresql", check=False, postgresql_wait_timeout=20)
        assert "the data folder is of PostgreSQL 16, this image is PostgreSQL 17; nothing was changed" in said
        assert "pg_dumpall" in said
    finally:
        assert nfs01.run(f"sed -i s/16/17/ {version}").succeeded
    platform.cluster.kubectl("delete", "pod", "postgresql-0", f"--namespace={platform.namespace}")
    platform.roles("postgresql")
    assert psql(platform, "SELECT 1") == "1"


def test_no_secret_is_in_what_ansible_prints_or_keeps(platform: Platform) -> None:
    secrets = platform.cluster.get("secrets", f"--namespace={platform.namespace}")["items"]
    shown = platform.play(
        "tests/e2e/roles.yml",
        roles_under_test=["postgresql", "redis"],
        postgresql_password_generation=5,
        redis_password_generation=5,
    )
    objects = platform.cluster.get("statefulsets,configmaps,pods", f"--namespace={platform.namespace}")
    names = ("password", "url")
    encoded = [value for secret in secrets for name, value in (secret.get("data") or {}).items() if name in names]
    assert encoded
    for value in encoded:
        plain = base64.b64decode(value).decode()
        assert plain not in shown
        assert value not in json.dumps(objects)
        assert plain not in json.dumps(objects)


@pytest.fixture
def certificate(platform: Platform, tmp_path: Path) -> Path:
    """A certificate for the node's address in the Secret `own-tls`; the result is the file to verify it with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "databases")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address(platform.cluster.facts["address"]))
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    data = {
        "tls.crt": made.public_bytes(pem).decode(),
        "tls.key": private.decode(),
        "ca.crt": made.public_bytes(pem).decode(),
    }
    meta = {"name": "own-tls", "namespace": platform.namespace}
    platform.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})
    file = tmp_path / "ca.crt"
    file.write_text(data["ca.crt"])
    return file


def password(platform: Platform, secret: str) -> str:
    data = platform.cluster.get("secret", secret, f"--namespace={platform.namespace}")["data"]
    return base64.b64decode(data["password"]).decode()


def node_port(platform: Platform, component: str) -> int:
    service = platform.cluster.get("service", f"{component}-external", f"--namespace={platform.namespace}")
    return int(service["spec"]["ports"][0]["nodePort"])


def test_with_tls_and_a_node_port_both_are_reached_from_outside_and_only_with_tls(
    platform: Platform, certificate: Path
) -> None:
    outside = {"exposure": {"type": "node_port"}, "tls": {"secret": "own-tls"}}
    variables = {f"{component}_{name}": value for component in COMPONENTS for name, value in outside.items()}
    # The last test may have left other generations in force.
    platform.roles(**variables)
    assert "changed=0" in platform.roles(**variables)

    host = platform.cluster.facts["address"]
    where = {"host": host, "port": node_port(platform, "postgresql"), "user": "postgres", "dbname": "postgres"}
    sign_in = {"password": password(platform, "postgresql"), "connect_timeout": 10}
    with psycopg.connect(**where, **sign_in, sslmode="verify-full", sslrootcert=str(certificate)) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError, match="no pg_hba"):
        psycopg.connect(**where, **sign_in, sslmode="disable")

    context = ssl.create_default_context(cafile=str(certificate))
    address = (host, node_port(platform, "redis"))
    with socket.create_connection(address, 10) as plain, context.wrap_socket(plain, server_hostname=host) as secured:
        secured.sendall(f"AUTH {password(platform, 'redis')}\r\nPING\r\n".encode())
        assert secured.makefile("rb").read(12) == b"+OK\r\n+PONG\r\n"

    platform.roles()
    services = platform.cluster.get("services", f"--namespace={platform.namespace}")["items"]
    assert sorted(service["metadata"]["name"] for service in services) == ["postgresql", "redis"]
