"""Faults and sizes of the lab that take their time: make test-full."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from e2e.cluster import ROOT, Cluster, claim, in_namespace, pod
from e2e.conftest import PULL_SECRET, cluster_of, make_namespace, read_lab
from e2e.volume import Volume, own_volume

from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records

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


def make_lab(action: str, lab: dict[str, t.Any], clusters: str) -> subprocess.CompletedProcess[str]:
    """Run lab/bin/lab for this instance."""
    return subprocess.run(
        ["lab/bin/lab", action],
        cwd=ROOT,
        env=lab_environment(lab, clusters),
        capture_output=True,
        text=True,
        check=False,
    )


def lab_environment(lab: dict[str, t.Any], clusters: str) -> dict[str, str]:
    return {**os.environ, "LAB_NAME": lab["name"], "LAB_CLUSTERS": clusters}


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
    result = make_lab("up", lab, name)
    assert result.returncode == 0, result.stdout
    yield cluster_of(read_lab()["clusters"][name])
    result = make_lab("down", lab, name)
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


def test_make_lab_repairs_what_a_killed_one_left(lab: dict[str, t.Any]) -> None:
    name = "user09"
    started = subprocess.Popen(
        ["lab/bin/lab", "up"],
        cwd=ROOT,
        env=lab_environment(lab, name),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    records = Records(Path(lab["state_dir"]) / name / "processes")
    end = time.monotonic() + 300
    # In the middle: etcd runs, the API server does not answer yet.
    while not records.folder.is_dir() or records.read("etcd") is None:
        assert time.monotonic() < end, "make lab did not come to start etcd"
        assert started.poll() is None, "make lab ended before it could be killed"
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    result = make_lab("up", lab, name)
    assert result.returncode == 0, result.stdout
    cluster_of(read_lab()["clusters"][name]).wait("condition=Ready", f"node/{name}", "default")
    result = make_lab("down", lab, name)
    assert result.returncode == 0, result.stdout
    assert left_of(lab, name) == []


def left_of(lab: dict[str, t.Any], name: str) -> list[str]:
    """What a removed cluster left: folders, mounts, namespaces, cgroups, processes."""
    marks = (f"{lab['state_dir']}/{name}", f"{lab['run_dir']}/{name}", f"{lab['name']}-{name}")
    paths = [Path(marks[0]), Path(marks[1]), Path("/run/netns") / marks[2], ROOT / ".lab" / f"{name}.kubeconfig"]
    found = [str(path) for path in paths if path.exists()]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if any(m in line for m in marks)]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{marks[2]}")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += [text] if any(mark + "/" in text for mark in marks[:2]) else []
    return found
