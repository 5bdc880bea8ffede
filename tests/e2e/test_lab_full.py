"""Faults and sizes of the lab that take their time: make test-full."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import typing as t

import pytest
from e2e.cluster import Cluster, Manifest, claim, in_namespace, pod
from e2e.conftest import PULL_SECRET, cluster_of, make_namespace, processes, read_lab
from e2e.lab_runs import make_lab
from e2e.volume import Volume, own_volume

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from testinfra.host import Host

pytestmark = pytest.mark.full
Image = t.Callable[[str], str]

POSTGRES = """
export PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin)"
initdb -D /data/pg -U postgres -A trust
exec postgres -D /data/pg -c listen_addresses= -k /tmp
"""
OUTAGE_SECONDS = 20
COMMITS_AFTERWARDS = 50


class Committer(threading.Thread):
    """Inserts one row after the other and remembers those whose commit was confirmed."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        super().__init__(daemon=True)
        self.confirmed: list[int] = []
        self.errors = ""
        self._stop_asked = threading.Event()
        self._shell = cluster.popen(
            *("exec", "--stdin", f"--namespace={namespace}", "database", "--"),
            *("psql", "-h", "/tmp", "-U", "postgres", "--no-align", "--tuples-only", "--quiet"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        number = 0
        while not self._stop_asked.is_set():
            number += 1
            self._shell.stdin.write(f"insert into kept values ({number}) returning n;\n")
            self._shell.stdin.flush()
            line = self._shell.stdout.readline()
            if line.strip() != str(number):
                self.errors = line + (self._shell.stderr.read() if self._shell.stderr else "")
                return
            self.confirmed.append(number)

    def wait_for(self, count: int, timeout: float) -> None:
        """Wait until so many commits are confirmed."""
        end = time.monotonic() + timeout
        while len(self.confirmed) < count and not self.errors:
            assert time.monotonic() < end, f"only {len(self.confirmed)} of {count} commits after {timeout} s"
            self.join(0.1)

    def finish(self) -> None:
        """Stop after the commit that is under way."""
        self._stop_asked.set()
        self.join(60)
        self._shell.terminate()
        self._shell.wait()


@pytest.fixture
def volume(cluster: Cluster, lab: dict[str, t.Any]) -> Iterator[Volume]:
    """An export of the test's own; it goes after the namespace with the claim."""
    with own_volume(cluster, lab, uid=999) as made:
        yield made


def test_postgresql_survives_a_restart_of_the_nfs_server(
    cluster: Cluster, volume: Volume, namespace: str, image: Image, nfs01: Host
) -> None:
    database = pod("database", image("postgresql"), ["bash", "-c", POSTGRES], claim="d", pull_secret=PULL_SECRET)
    spec = database["spec"]
    spec["volumes"].append({"name": "tmp", "emptyDir": {}})
    spec["containers"][0]["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"})
    ready = {"exec": {"command": ["pg_isready", "-h", "/tmp"]}, "periodSeconds": 1}
    spec["containers"][0]["readinessProbe"] = ready
    cluster.apply(*in_namespace(namespace, claim("d", volume.storage_class), database))
    cluster.wait("condition=Ready", "pod/database", namespace)
    psql = ("psql", "-h", "/tmp", "-U", "postgres", "--no-align", "--tuples-only", "--command")
    cluster.execute(namespace, "database", *psql, "create table kept (n bigint primary key)")
    committer = Committer(cluster, namespace)
    committer.start()
    committer.wait_for(20, timeout=60)
    # The outage itself is what is tested; it lies on the server, not in this test.
    nfs01.run_test(f"systemctl stop nfs-ganesha && sleep {OUTAGE_SECONDS} && systemctl start nfs-ganesha")
    committer.wait_for(len(committer.confirmed) + COMMITS_AFTERWARDS, timeout=120)
    committer.finish()
    assert not committer.errors
    rows = cluster.execute(namespace, "database", *psql, "select n from kept order by n").split()
    assert [int(row) for row in rows][: len(committer.confirmed)] == committer.confirmed
    restarts = cluster.get("pod", "database", f"--namespace={namespace}")["status"]["containerStatuses"]
    assert restarts[0]["restartCount"] == 0


@pytest.fixture
def second(lab: dict[str, t.Any]) -> Iterator[Cluster]:
    """Another cluster of the same instance, removed afterwards."""
    name = "test09"
    assert name not in lab["clusters"]
    result = make_lab("up", lab["name"], name)
    assert result.returncode == 0, result.stdout
    yield cluster_of(read_lab()["clusters"][name])
    result = make_lab("down", lab["name"], name)
    assert result.returncode == 0, result.stdout
    assert read_lab() == lab


def test_pods_of_two_clusters_do_not_reach_each_other(
    cluster: Cluster, second: Cluster, namespace: str, image: Image, lab: dict[str, t.Any]
) -> None:
    make_namespace(second, "apart")
    command = ["redis-server", "--save", "", "--dir", "/tmp", "--protected-mode", "no"]
    server = pod("server", image("redis"), command, pull_secret=PULL_SECRET)
    for one, where in ((cluster, namespace), (second, "apart")):
        one.apply(*in_namespace(where, server))
        one.wait("condition=Ready", "pod/server", where)
    addresses = [
        one.get("pod", "server", f"--namespace={where}")["status"]["podIP"]
        for one, where in ((cluster, namespace), (second, "apart"))
    ]
    ask = ("timeout", "3", "redis-cli", "-h")
    assert cluster.execute(namespace, "server", *ask, addresses[0], "ping").strip() == "PONG"
    assert "PONG" not in cluster.execute(namespace, "server", *ask, addresses[1], "ping", check=False)
    assert "PONG" not in second.execute("apart", "server", *ask, addresses[0], "ping", check=False)
    # Both reach the storage server: bash opens a TCP connection to its NFS port.
    reach = f"exec 3<>/dev/tcp/{lab['storage']['address']}/2049"
    for one, where in ((cluster, namespace), (second, "apart")):
        one.execute(where, "server", "timeout", "5", "bash", "-c", reach)


def deployment(made_of: Manifest) -> Manifest:
    """A Deployment of one pod."""
    labels = made_of["metadata"]["labels"]
    spec = {**made_of["spec"], "restartPolicy": "Always"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": made_of["metadata"]["name"]},
        "spec": {"selector": {"matchLabels": labels}, "strategy": {"type": "Recreate"}, "template": template},
    }


def test_pods_get_new_mounts_when_the_nfs_client_has_died(
    cluster: Cluster, volume: Volume, namespace: str, image: Image, lab: dict[str, t.Any]
) -> None:
    script = "[ -e /data/note ] || echo kept > /data/note; exec sleep 3600"
    keeper = pod("keeper", image("redis"), ["sh", "-c", script], claim="c", uid=volume.uid, pull_secret=PULL_SECRET)
    cluster.apply(*in_namespace(namespace, claim("c", volume.storage_class), deployment(keeper)))
    cluster.wait("condition=Available", "deployment/keeper", namespace)
    read = ("deployment/keeper", "cat", "/data/note")
    assert cluster.execute(namespace, *read).strip() == "kept"
    daemon = processes(cluster.facts).read("nfsfused")
    assert daemon is not None
    os.kill(daemon.pid, signal.SIGKILL)
    assert "not connected" in cluster.execute(namespace, *read, check=False)
    result = make_lab("up", lab["name"], "")
    assert result.returncode == 0, result.stdout
    assert f"{namespace}/keeper-" in result.stdout
    cluster.kubectl("rollout", "status", "deployment/keeper", f"--namespace={namespace}", "--timeout=120s")
    assert cluster.execute(namespace, *read).strip() == "kept"
