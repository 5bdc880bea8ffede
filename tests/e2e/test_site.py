"""site.yml and report.yml for several clusters: one that fails stops alone, and the end says which, where and why."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
from e2e.cluster import ROOT, Cluster

AWAY = "https://127.0.0.1:9"


def play(inventories: t.Sequence[str], playbook: str, *options: str) -> str:
    """What a playbook says; it may fail."""
    sources = [part for inventory in inventories for part in ("-i", inventory)]
    command = [str(ROOT / ".venv/bin/ansible-playbook"), *sources, playbook, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def recap(said: str, host: str) -> dict[str, int]:
    """The numbers of a host at the end of a run."""
    (line,) = re.findall(rf"^{host} +: (.*)$", said, flags=re.MULTILINE)
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """The lab's inventory, and with it a cluster that does not answer."""
    away = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "cluster_name": "desa99",
        "cluster_server": AWAY,
        "cluster_host": AWAY,
        "cluster_api_key": "none",
        "cluster_node_networks": ["192.0.2.0/24"],
    }
    file = tmp_path / "away.json"
    file.write_text(json.dumps({"desa": {"hosts": {"desa99": away}}}))
    return ["inventories/lab", str(file)]


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    said = play(["inventories/lab"], "site.yml", "--limit", f"{cluster.name},storage")
    assert recap(said, cluster.name)["changed"] == recap(said, "nfs01")["changed"] == 0
    assert recap(said, cluster.name)["failed"] == 0


def test_check_mode_with_diff_says_that_nothing_would_change(cluster: Cluster) -> None:
    said = play(["inventories/lab"], "site.yml", "--check", "--diff", "--limit", f"{cluster.name},storage")
    assert recap(said, cluster.name)["changed"] == recap(said, "nfs01")["changed"] == 0
    assert recap(said, cluster.name)["failed"] == 0


def test_a_cluster_that_fails_stops_alone(cluster: Cluster, two: list[str]) -> None:
    said = play(two, "site.yml", "--tags", "preflight,redis")
    assert recap(said, cluster.name)["failed"] == 0
    assert recap(said, "desa99")["failed"] == 1
    assert (
        f"ok: [{cluster.name}]" in said.partition("TASK [mlops.platform.redis : Make the cluster equal to the set]")[2]
    )
    report = said.partition("FAILURES ")[2]
    assert f"done: {cluster.name}, nfs01" in report
    assert "failed: desa99 in preflight: " in report
    assert f"{AWAY} cannot be reached" in report


def test_tags_are_role_names(cluster: Cluster) -> None:
    said = play(["inventories/lab"], "site.yml", "--list-tags")
    roles = {"nfs_server", "nfs_exports", "cluster_base", "csi_driver_nfs", "nfs_check", "postgresql", "redis", "minio"}
    roles |= {"mlflow", "kuberay_operator", "ray_service", "preflight"}
    assert roles <= set(re.split(r"[\[\], \n]+", said))


def test_the_report_shows_clusters_that_are_well_and_those_that_are_away(
    cluster: Cluster, two: list[str], tmp_path: Path
) -> None:
    play(two, "playbooks/report.yml", "-e", f"report_folder={tmp_path}")
    found = {one["cluster"]: one for one in json.loads((tmp_path / "report.json").read_text())}
    assert found[cluster.name]["ready"]
    assert not found["desa99"]["ready"]
    assert f"{AWAY} cannot be reached" in found["desa99"]["error"]
    minio = next(row for row in found[cluster.name]["components"] if row["component"] == "minio")
    assert minio["bytes_used"] > 0
    assert minio["addresses"] == ["minio.mlops:9000"]
    page = (tmp_path / "report.txt").read_text()
    assert f"{cluster.name} (desa), Kubernetes v" in page
    assert "desa99 (desa), Kubernetes unknown: cannot be read" in page
