"""The servers when they are killed, when the storage restarts, and on a full volume: nothing confirmed is lost."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import typing as t

import pytest
from e2e.databases import COMPONENTS, await_words, content, delete, leases, minio, next_restart, put, ready
from e2e.platform import Platform, own_platform
from e2e.tracking import tracking
from e2e.writers import Load, load
from minio.error import MinioException, S3Error

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster
    from testinfra.host import Host

pytestmark = pytest.mark.full
LEASE = leases(15)
BOTH = ("postgresql", "redis")
# Who owns the folders of the components that the platform gives no other uid.
UIDS = {"postgresql": 999, "redis": 999, "minio": 1000}


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """All four servers, with pgbench's tables."""
    with own_platform(cluster, *COMPONENTS, **LEASE) as found:
        found.roles(*COMPONENTS, "mlflow")
        execute(found, "postgresql-0", "pgbench --initialize --scale=2 --quiet postgres")
        execute(found, "postgresql-0", "psql -qXc 'CREATE TABLE confirmed (n int PRIMARY KEY)'")
        with minio(found) as client:
            client.make_bucket("confirmed")
        yield found


def folder(platform: Platform, component: str) -> str:
    """The folder of a component on the storage machine."""
    return f"/bitnami/{platform.folder}/{component}"


def execute(platform: Platform, pod: str, script: str) -> str:
    return platform.cluster.execute(platform.namespace, pod, "sh", "-c", script).strip()


def assert_databases_lost_nothing(platform: Platform, found: Load) -> None:
    rows = {int(line) for line in execute(platform, "postgresql-0", "psql -AtqXc 'SELECT n FROM confirmed'").split()}
    sign_in = "export REDISCLI_AUTH=$(cat /run/secrets/redis/password)"
    keys = execute(platform, "redis-0", f"{sign_in}; redis-cli --scan --pattern 'confirmed:*' --count 10000").split()
    assert set(found.written["postgresql"]) - rows == set()
    assert set(found.written["redis"]) - {int(key.partition(":")[2]) for key in keys} == set()
    execute(platform, "postgresql-0", "pg_amcheck --install-missing --heapallindexed postgres")


def assert_transactions_are_whole(platform: Platform) -> None:
    """Each of pgbench's transactions changes three balances and notes that: all of it is there, or nothing."""
    sums = ["SELECT sum(delta) FROM pgbench_history"]
    sums += [f"SELECT sum({table[0]}balance) FROM pgbench_{table}" for table in ("accounts", "tellers", "branches")]
    script = f"psql -AtqXc 'SELECT count(*) FROM pgbench_history' -c '{' UNION ALL '.join(sums)}'"
    count, *found = execute(platform, "postgresql-0", script).split()
    assert int(count) > 100, "pgbench did not get on"
    assert len(found) == 4
    assert len(set(found)) == 1, found


def assert_objects_lost_nothing(platform: Platform, found: Load) -> None:
    with minio(platform) as client:
        wrong = [
            number
            for number in found.written["minio"]
            if content(client, str(number), "confirmed") != hashlib.sha256(str(number).encode()).digest() * 4096
        ]
    assert wrong == []


def assert_run_lost_nothing(platform: Platform, found: Load, run: str) -> None:
    with tracking(platform) as client:
        steps = set(client.steps(run, "confirmed"))
    assert set(found.written["mlflow"]) - steps == set()


def forget(platform: Platform) -> None:
    """An empty table for the next writer."""
    execute(platform, "postgresql-0", "psql -qXc 'TRUNCATE confirmed'")


def test_ten_kills_under_load_lose_no_confirmed_write(platform: Platform) -> None:
    """The server is killed as with a lost node, without a goodbye, and its pod is deleted with force."""
    forget(platform)
    with load(platform, *BOTH, "pgbench") as found:
        for _ in range(10):
            for component in BOTH:
                found.await_more(component)
                platform.signal(f"{component}-0", signal.SIGKILL)
                delete(platform, component, "--force", "--grace-period=0")
        for component in BOTH:
            found.await_more(component)
    assert_databases_lost_nothing(platform, found)
    assert_transactions_are_whole(platform)


def test_all_go_on_after_a_restart_of_the_storage_server(platform: Platform, nfs01: Host) -> None:
    forget(platform)
    with tracking(platform) as client:
        run = client.log("storage-restart", b"content")
    writers = (*COMPONENTS, "mlflow")
    with load(platform, *writers, "pgbench", RUN_ID=run) as found:
        assert nfs01.run("systemctl restart nfs-ganesha").succeeded
        for name in writers:
            found.await_more(name)
        for component in COMPONENTS:
            ready(platform, component)
        platform.cluster.wait("condition=Available", "deployment/mlflow", platform.namespace)
    assert_databases_lost_nothing(platform, found)
    assert_objects_lost_nothing(platform, found)
    assert_run_lost_nothing(platform, found, run)


def test_a_full_volume_is_named_and_harms_nothing(cluster: Cluster, nfs01: Host) -> None:
    with own_platform(cluster, *BOTH, **LEASE) as small, limited(nfs01, small, 160) as enlarge:
        small.roles()
        tables = "CREATE TABLE filler (text text STORAGE EXTERNAL); CREATE TABLE confirmed (n int)"
        execute(small, "postgresql-0", f"psql -qXc '{tables}' -c 'INSERT INTO confirmed VALUES (42)'")
        fill = 'psql -qXc "INSERT INTO filler SELECT repeat(md5(n::text), 200) FROM generate_series(1, 60000) n"'
        small.cluster.execute(small.namespace, "postgresql-0", "sh", "-c", fill, check=False)
        assert "No space left on device" in small.logs("postgresql-0") + previous_logs(small, "postgresql-0")

        sign_in = "export REDISCLI_AUTH=$(cat /run/secrets/redis/password)"
        execute(small, "redis-0", f"{sign_in}; redis-cli -e set kept 42")
        grow = (
            f"{sign_in}; for n in $(seq 300); do head -c 1M /dev/urandom | redis-cli -e -x set big:$n || exit 1; done"
        )
        refused = small.cluster.execute(small.namespace, "redis-0", "sh", "-c", grow, check=False)
        assert "MISCONF Errors writing to the AOF file: No space left on device" in refused

        enlarge()
        for component in BOTH:
            ready(small, component)
        assert execute(small, "postgresql-0", "psql -AtqXc 'SELECT n FROM confirmed'") == "42"
        execute(small, "postgresql-0", "psql -qXc 'INSERT INTO confirmed VALUES (43)'")
        execute(small, "postgresql-0", "pg_amcheck --install-missing --heapallindexed postgres")
        assert execute(small, "redis-0", f"{sign_in}; redis-cli get kept") == "42"
        await_words(small, "redis", "the log was written anew and is whole")
        delete(small, "redis")
        assert execute(small, "redis-0", f"{sign_in}; redis-cli get kept") == "42"


def fill(platform: Platform) -> dict[str, bytes]:
    """Put objects until the volume takes no more; those that were confirmed."""
    confirmed: dict[str, bytes] = {}
    with minio(platform) as client:
        put(client, "first", b"42")
        for number in range(1000):
            body = os.urandom(4 << 20)
            try:
                put(client, str(number), body)
            except S3Error as error:
                # The first refusals may come from the disk itself: MinIO looks at the free space once a second.
                if error.code == "XMinioStorageFull":
                    return confirmed | {"first": b"42"}
            else:
                confirmed[str(number)] = body
    pytest.fail("the volume took everything")


def test_a_full_object_store_starts_again_and_loses_nothing(cluster: Cluster, nfs01: Host) -> None:
    with own_platform(cluster, "minio", **LEASE) as small, limited(nfs01, small, 200) as enlarge:
        small.roles()
        confirmed = fill(small)
        delete(small, "minio")
        with minio(small) as client:
            assert [name for name, body in confirmed.items() if content(client, name) != body] == []
            with pytest.raises(MinioException):
                put(client, "too-much", bytes(4 << 20))

        # Now nothing fits at all, not even the lease of the next start.
        nfs01.run(f"dd if=/dev/zero of={folder(small, 'minio')}/rest bs=64k")
        restarted = next_restart(small, "minio")
        small.signal("minio-0", signal.SIGKILL)
        ready(small, "minio", restarted)
        ready(small, "minio", next_restart(small, "minio"))
        said = small.logs("minio-0", "--previous")
        assert "the volume is full; make space or enlarge its quota, nothing was changed" in said

        enlarge()
        ready(small, "minio", timeout=400)
        with minio(small) as client:
            assert [name for name, body in confirmed.items() if content(client, name) != body] == []
            put(client, "after", b"43")
            assert content(client, "after") == b"43"


def previous_logs(platform: Platform, pod: str) -> str:
    """What the container before said; nothing where there was none."""
    return platform.cluster.kubectl("logs", pod, f"--namespace={platform.namespace}", "--previous", check=False)


@contextlib.contextmanager
def limited(nfs01: Host, platform: Platform, megabytes: int) -> t.Iterator[t.Callable[[], None]]:
    """Put a small file system under each folder of the platform; the result gives them more space."""
    folders = {folder(platform, name): uid for name, uid in UIDS.items() if name in platform.components}
    for path, uid in folders.items():
        nfs01.check_output(f"mount -t tmpfs -o size={megabytes}m,mode=0700,uid={uid},gid={uid} tmpfs {path}")
    # The server looks at a folder's file system when it makes the export.
    nfs01.check_output("systemctl restart nfs-ganesha")

    def enlarge() -> None:
        for path in folders:
            nfs01.check_output(f"mount -o remount,size={megabytes * 10}m {path}")

    try:
        yield enlarge
    finally:
        platform.play("molecule/shared/remove_namespace.yml")
        nfs01.check_output("systemctl stop nfs-ganesha")
        for path in folders:
            nfs01.check_output(f"umount {path}")
        nfs01.check_output("systemctl start nfs-ganesha")
