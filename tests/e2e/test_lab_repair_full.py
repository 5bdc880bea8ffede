"""`make lab` after a kill and after a reboot, and what `make down` leaves: make test-full."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
import typing as t
from contextlib import suppress
from pathlib import Path

import pytest
from e2e.cluster import ROOT
from e2e.conftest import cluster_of, processes, read_lab
from e2e.lab_runs import answers, kill_tree, lines, make_lab, snapshot, start_lab, wait_until

from ansible_collections.mlops.platform.plugins.module_utils._lab import node, procfs
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records
from ansible_collections.mlops.platform.plugins.modules import lab_node

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.full
Lab = dict[str, t.Any]
KILLED = "user09"
APART = "apart"


def left_since(before: set[str], timeout: float = 60) -> list[str]:
    """What is on the machine and was not before, once the kernel has done what it does behind."""
    end = time.monotonic() + timeout
    while (left := snapshot() - before) and time.monotonic() < end:
        time.sleep(0.2)
    return sorted(left)


def address_of(lab: Lab, cluster: str) -> str:
    """The address that an instance's record gives to a cluster that is not complete yet."""
    record = json.loads(Path(lab["state_dir"]).with_suffix(".json").read_text(encoding="utf-8"))
    return f"{lab['gateway'].rpartition('.')[0]}.{16 + record['clusters'][cluster]}"


def lock_gets_free(timeout: float = 20) -> bool:
    """Whether no run of this checkout is at work; a killed one must not leave a worker that goes on."""
    end = time.monotonic() + timeout
    handle = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while time.monotonic() < end:
            # What was killed holds it until the kernel has put it away.
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.05)
    finally:
        os.close(handle)
    return False


@pytest.fixture
def untouched(lab: Lab) -> Iterator[None]:
    """At the end the cluster is removed and the machine is as before."""
    assert KILLED not in lab["clusters"]
    before = snapshot()
    yield
    result = make_lab("down", lab["name"], KILLED)
    assert result.returncode == 0, result.stdout
    assert read_lab() == lab
    assert left_since(before) == []


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("/run/netns/{name}-user09", id="network"),
        pytest.param("{state}/user09/pki", id="certificates"),
        pytest.param("{state}/user09/processes/etcd.json", id="etcd"),
    ],
)
def test_make_lab_repairs_what_a_killed_one_left(lab: Lab, untouched: None, moment: str) -> None:
    sign = Path(moment.format(name=lab["name"], state=lab["state_dir"]))
    run = start_lab(lab["name"], KILLED)
    wait_until(sign.exists, run)
    assert kill_tree(run) > 1
    assert lock_gets_free()
    address = address_of(lab, KILLED)
    assert not answers(address, 6443), "the API server answers: make lab was not killed in the middle"
    result = make_lab("up", lab["name"], KILLED)
    assert result.returncode == 0, result.stdout
    facts = read_lab()["clusters"][KILLED]
    assert facts["address"] == address
    cluster_of(facts).wait("condition=Ready", f"node/{KILLED}", "default")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A second checkout; its instance is removed at the end, whatever has become of it."""
    folder = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    yield folder
    make_lab("down", APART, "", folder)


def lab_of(checkout: Path) -> Lab:
    return t.cast("Lab", json.loads((checkout / ".lab/lab.json").read_text(encoding="utf-8")))


def kill(found: list[procfs.Identity]) -> None:
    procfs.send(found, signal.SIGKILL)
    assert procfs.wait_all(found, 30) == []


def reboot(lab: Lab) -> None:
    """What a reboot does to an instance: processes, mounts, network and /run are gone."""
    folders = [lab["state_dir"], lab["run_dir"]]
    cgroups = [f"/{lab['storage']['netns']}", *(cluster["cgroup"] for cluster in lab["clusters"].values())]
    for folder in Path(lab["state_dir"]).glob("*/processes"):
        kill([record.identity for record in Records(folder).all()])
    for cgroup in cgroups:
        kill(lab_node.processes({"cgroup": cgroup, "folders": folders}))
    for target in node.below(node.parse_mounts(lab_node.mountinfo()), folders):
        subprocess.run(["umount", "--lazy", target], check=True)
    for machine in lab["machines"]:
        subprocess.run(["ip", "netns", "delete", machine["netns"]], check=True)
    subprocess.run(["ip", "link", "delete", lab["bridge"]], check=True)
    subprocess.run(["nft", "delete", "table", "ip", lab["nft_table"]], check=True)
    for cluster in lab["clusters"].values():
        traces = node.traces([cluster["state_dir"], cluster["run_dir"]], cluster["netns"], node.Places())
        for path in traces:
            if path.is_relative_to("/run"):
                lab_node.remove_trace(path)
    shutil.rmtree(lab["run_dir"])
    for cgroup in cgroups:
        lab_node.remove_cgroup(cgroup)


def check_nodes(lab: Lab) -> None:
    for name, facts in lab["clusters"].items():
        cluster_of(facts).wait("condition=Ready", f"node/{name}", "default")
        cluster_of(facts).wait("condition=Available", "deployment/coredns", "kube-system")
    assert answers(lab["storage"]["address"], 22)


def test_an_instance_of_two_clusters_survives_a_reboot_and_leaves_nothing(checkout: Path) -> None:
    before = snapshot()
    result = make_lab("up", APART, "test01,prod01", checkout)
    assert result.returncode == 0, result.stdout
    assert "TIMES **" in result.stdout
    lab = lab_of(checkout)
    assert list(lab["clusters"]) == ["prod01", "test01"]
    check_nodes(lab)
    # To install what serves NFS is the work of the role nfs_server.
    (packages,) = Path(lab["state_dir"], "storage").glob("*/var/lib/dpkg")
    names = lines("dpkg-query", f"--admindir={packages}", "--show", "--showformat=${Package}\n")
    assert "openssh-server" in names
    assert not [name for name in names if "nfs" in name or name == "rpcbind"]
    reboot(lab)
    # No connection is tried: without the bridge it would leave the machine, and a proxy may answer.
    records = [record for facts in lab["clusters"].values() for record in processes(facts).all()]
    assert records
    assert not [record.name for record in records if record.running()]
    result = make_lab("up", APART, "", checkout)
    assert result.returncode == 0, result.stdout
    check_nodes(lab)
    refused = make_lab("down", APART, "typo01", checkout)
    assert refused.returncode != 0
    assert "there is no cluster typo01 in the lab instance 'apart'; it has prod01, test01" in refused.stdout
    result = make_lab("down", APART, "", checkout)
    assert result.returncode == 0, result.stdout
    assert left_since(before) == []
    assert not (checkout / ".lab").exists()
