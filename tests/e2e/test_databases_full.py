"""PostgreSQL and Redis when they are killed, when the storage restarts, and on a full volume: nothing is lost."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import typing as t

import pytest
from e2e.platform import Platform, own_platform

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster
    from testinfra.host import Host

pytestmark = pytest.mark.full
LEASE = {"postgresql_lease_seconds": 15, "redis_lease_seconds": 15}
POSTGRESQL_WRITER = """
n=0
while :; do
    n=$((n + 1))
    psql -qXc "INSERT INTO confirmed VALUES ($n)" 2>/dev/null && echo $n
done
"""
REDIS_WRITER = """
n=0
while :; do
    n=$((n + 1))
    [ "$(redis-cli -h redis set confirmed:$n 1 2>/dev/null)" = OK ] &&
        [ "$(redis-cli -h redis waitaof 1 0 5000 2>/dev/null | head -n 1)" = 1 ] && echo $n
done
"""


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """PostgreSQL and Redis, with pgbench's tables."""
    with own_platform(cluster, "postgresql", "redis", **LEASE) as found:
        found.roles()
        execute(found, "postgresql-0", "pgbench --initialize --scale=2 --quiet postgres")
        execute(found, "postgresql-0", "psql -qXc 'CREATE TABLE confirmed (n int PRIMARY KEY)'")
        yield found


def execute(platform: Platform, pod: str, script: str) -> str:
    return platform.cluster.execute(platform.namespace, pod, "sh", "-c", script).strip()


class Load(t.NamedTuple):
    """Programs that use the databases from pods of their own, and what they were told is written."""

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
def load(platform: Platform) -> t.Iterator[Load]:
    """Writers in the background, and pgbench beside them."""
    images = {name: platform.pod(f"{name}-0")["spec"]["containers"][0]["image"] for name in ("postgresql", "redis")}
    scripts = {
        "postgresql": ("postgresql", POSTGRESQL_WRITER),
        "redis": ("redis", REDIS_WRITER),
        "pgbench": (
            "postgresql",
            "while :; do pgbench --client=4 --time=600 --no-vacuum postgres >/dev/null 2>&1; done",
        ),
    }
    found = Load({name: [] for name in scripts})
    with contextlib.ExitStack() as stack:
        for name, (component, script) in scripts.items():
            platform.cluster.apply(client(platform, name, component, images[component], script))
            stack.callback(
                platform.cluster.kubectl,
                "delete",
                "pod",
                f"client-{name}",
                f"--namespace={platform.namespace}",
                "--grace-period=1",
            )
            platform.cluster.wait("condition=Ready", f"pod/client-{name}", platform.namespace)
            stack.enter_context(followed(platform, name, found.written[name]))
        found.await_more("postgresql")
        found.await_more("redis")
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


def client(platform: Platform, name: str, component: str, image: str, script: str) -> dict[str, t.Any]:
    """A pod that uses a component."""
    password = {"secretKeyRef": {"name": component, "key": "password"}}
    variables = {
        "PGHOST": "postgresql",
        "PGUSER": "postgres",
        "PGCONNECT_TIMEOUT": "3",
    }
    environment = [{"name": key, "value": value} for key, value in variables.items()]
    environment += [{"name": key, "valueFrom": password} for key in ("PGPASSWORD", "REDISCLI_AUTH")]
    container = {
        "name": "client",
        "image": image,
        "command": ["sh", "-c", script],
        "env": environment,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 999, "runAsGroup": 999, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "containers": [container],
        "securityContext": security,
        "imagePullSecrets": [{"name": "mlops-registry"}],
        "terminationGracePeriodSeconds": 1,
    }
    meta = {
        "name": f"client-{name}",
        "namespace": platform.namespace,
        "labels": {f"mlops.platform/uses-{component}": "true"},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def assert_nothing_lost(platform: Platform, found: Load) -> None:
    rows = {int(line) for line in execute(platform, "postgresql-0", "psql -AtqXc 'SELECT n FROM confirmed'").split()}
    sign_in = "export REDISCLI_AUTH=$(cat /run/secrets/redis/password)"
    keys = execute(platform, "redis-0", f"{sign_in}; redis-cli --scan --pattern 'confirmed:*' --count 10000").split()
    assert set(found.written["postgresql"]) - rows == set()
    assert set(found.written["redis"]) - {int(key.partition(":")[2]) for key in keys} == set()


def forget(platform: Platform) -> None:
    """An empty table for the next writer."""
    execute(platform, "postgresql-0", "psql -qXc 'TRUNCATE confirmed'")


def ready(platform: Platform, component: str, condition: str = "condition=Ready") -> None:
    platform.cluster.wait(condition, f"pod/{component}-0", platform.namespace, timeout=240)


def test_ten_kills_under_load_lose_no_confirmed_write(platform: Platform) -> None:
    """The server is killed as with a lost node, without a goodbye, and its pod is deleted with force."""
    forget(platform)
    with load(platform) as found:
        for _ in range(10):
            for component in ("postgresql", "redis"):
                found.await_more(component)
                platform.signal(f"{component}-0", signal.SIGKILL)
                arguments = ("--force", "--grace-period=0", f"--namespace={platform.namespace}")
                platform.cluster.kubectl("delete", "pod", f"{component}-0", *arguments)
                ready(platform, component, "create")
                ready(platform, component)
        for component in ("postgresql", "redis"):
            found.await_more(component)
    assert_nothing_lost(platform, found)
    execute(platform, "postgresql-0", "pg_amcheck --install-missing --heapallindexed postgres")


def test_all_go_on_after_a_restart_of_the_storage_server(platform: Platform, nfs01: Host) -> None:
    forget(platform)
    with load(platform) as found:
        assert nfs01.run("systemctl restart nfs-ganesha").succeeded
        for component in ("postgresql", "redis"):
            found.await_more(component)
            ready(platform, component)
    assert_nothing_lost(platform, found)


def test_a_full_volume_is_named_and_harms_nothing(cluster: Cluster, nfs01: Host) -> None:
    with own_platform(cluster, "postgresql", "redis", **LEASE) as small, limited(nfs01, small, 160) as enlarge:
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
        for component in ("postgresql", "redis"):
            ready(small, component)
        assert execute(small, "postgresql-0", "psql -AtqXc 'SELECT n FROM confirmed'") == "42"
        execute(small, "postgresql-0", "psql -qXc 'INSERT INTO confirmed VALUES (43)'")
        execute(small, "postgresql-0", "pg_amcheck --install-missing --heapallindexed postgres")
        assert execute(small, "redis-0", f"{sign_in}; redis-cli get kept") == "42"
        small.cluster.kubectl("delete", "pod", "redis-0", f"--namespace={small.namespace}")
        ready(small, "redis", "create")
        ready(small, "redis")
        assert execute(small, "redis-0", f"{sign_in}; redis-cli get kept") == "42"


def previous_logs(platform: Platform, pod: str) -> str:
    """What the container before said; nothing where there was none."""
    return platform.cluster.kubectl("logs", pod, f"--namespace={platform.namespace}", "--previous", check=False)


@contextlib.contextmanager
def limited(nfs01: Host, platform: Platform, megabytes: int) -> t.Iterator[t.Callable[[], None]]:
    """Put a small file system under each folder of the platform; the result gives them more space."""
    folders = [f"/bitnami/{platform.folder}/{name}" for name in platform.components]
    for folder in folders:
        nfs01.check_output(f"mount -t tmpfs -o size={megabytes}m,mode=0700,uid=999,gid=999 tmpfs {folder}")
    # The server looks at a folder's file system when it makes the export.
    nfs01.check_output("systemctl restart nfs-ganesha")

    def enlarge() -> None:
        for folder in folders:
            nfs01.check_output(f"mount -o remount,size={megabytes * 10}m {folder}")

    try:
        yield enlarge
    finally:
        platform.play("molecule/shared/remove_namespace.yml")
        nfs01.check_output("systemctl stop nfs-ganesha")
        for folder in folders:
            nfs01.check_output(f"umount {folder}")
        nfs01.check_output("systemctl start nfs-ganesha")
