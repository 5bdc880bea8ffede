"""PostgreSQL, Redis and MinIO on the lab: one writer on a folder, and what is said when a folder cannot be used."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import typing as t

import psycopg
import pytest
from e2e.databases import (
    COMPONENTS,
    assert_hidden,
    assert_kept,
    certificate,
    delete,
    hidden,
    leases,
    next_restart,
    node_port,
    psql,
    ready,
    secret,
    write,
)
from e2e.platform import Platform, own_platform

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.cluster import Cluster
    from testinfra.host import Host

LEASE = leases(9)
PLAYBOOK = "tests/e2e/roles.yml"
BOTH = ("postgresql", "redis")


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """The servers with data, with short leases."""
    with own_platform(cluster, *COMPONENTS, **LEASE) as found:
        found.roles()
        yield found


@pytest.mark.parametrize("component", COMPONENTS)
def test_data_survive_a_forced_delete(platform: Platform, component: str) -> None:
    write(platform)
    delete(platform, component, "--force", "--grace-period=0")
    assert_kept(platform)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_server_that_is_asked_to_stop_leaves_nothing_to_recover_and_nobody_to_wait_for(
    platform: Platform, component: str
) -> None:
    write(platform)
    delete(platform, component)
    said = platform.logs(f"{component}-0")
    assert "waiting" not in said, "the lease was released"
    if component == "postgresql":
        assert "database system was shut down at" in said
        assert "not properly shut down" not in said
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
    before = hidden(platform)
    raised = {"postgresql_password_generation": 5, "redis_password_generation": 5}
    shown = platform.play(PLAYBOOK, "--diff", "-vvv", roles_under_test=["postgresql", "redis"], **raised)
    after = hidden(platform)
    assert after != before
    assert_hidden(platform, before | after, shown)


def test_with_tls_and_a_node_port_both_are_reached_from_outside_and_only_with_tls(
    platform: Platform, tmp_path: Path
) -> None:
    authority = str(certificate(platform, tmp_path))
    outside = {"exposure": {"type": "node_port"}, "tls": {"secret": "own-tls"}}
    variables = {f"{component}_{name}": value for component in BOTH for name, value in outside.items()}
    # Ray speaks no TLS to Redis, which the role says.
    variables["ray_service_state"] = "absent"
    # The last test may have left other generations in force.
    platform.roles(*BOTH, **variables)
    assert "changed=0" in platform.roles(*BOTH, **variables)

    host = platform.cluster.facts["address"]
    where = {"host": host, "port": node_port(platform, "postgresql"), "user": "postgres", "dbname": "postgres"}
    sign_in = {"password": secret(platform, "postgresql")["password"], "connect_timeout": 10}
    with psycopg.connect(**where, **sign_in, sslmode="verify-full", sslrootcert=authority) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError, match="no pg_hba"):
        psycopg.connect(**where, **sign_in, sslmode="disable")

    context = ssl.create_default_context(cafile=authority)
    address = (host, node_port(platform, "redis"))
    with socket.create_connection(address, 10) as plain, context.wrap_socket(plain, server_hostname=host) as secured:
        secured.sendall(f"AUTH {secret(platform, 'redis')['password']}\r\nPING\r\n".encode())
        assert secured.makefile("rb").read(12) == b"+OK\r\n+PONG\r\n"

    platform.roles(*BOTH)
    services = platform.cluster.get("services", f"--namespace={platform.namespace}")["items"]
    assert sorted(service["metadata"]["name"] for service in services) == ["minio", "postgresql", "redis"]
