"""site.yml and report.yml for several clusters: one that fails stops alone, and the end says which, where and why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from e2e.cluster import Cluster
from e2e.fleet import member
from e2e.runs import failures, play, recap

pytestmark = pytest.mark.platform

AWAY = "https://127.0.0.1:9"
OTHER = "https://other.example.org:6443"


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


def test_the_limit_may_leave_the_storage_server_out(cluster: Cluster) -> None:
    said = play(["inventories/lab"], "site.yml", "--limit", cluster.name, check=True)
    assert recap(said, cluster.name)["changed"] == 0
    assert re.search("^nfs01 +:", said, flags=re.MULTILINE) is None


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
    report = failures(said)
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
    other = {**member(cluster, "desa98"), "cluster_server": OTHER}
    (tmp_path / "other.json").write_text(json.dumps({"desa": {"hosts": {"desa98": other}}}))
    sources = [*two, str(tmp_path / "other.json")]
    play(sources, "playbooks/report.yml", "-e", f"report_folder={tmp_path}", check=True)
    found = {one["cluster"]: one for one in json.loads((tmp_path / "report.json").read_text())}
    assert found[cluster.name]["ready"]
    assert not found["desa99"]["ready"]
    assert f"{AWAY} cannot be reached" in found["desa99"]["error"]
    rows = {row["component"]: row for row in found[cluster.name]["components"]}
    minio, ray = rows["minio"], rows["ray"]
    assert minio["bytes_used"] > 0
    assert ray["bytes_used"] > 0, "Ray's folder has no claim"
    assert found[cluster.name]["bytes_used"] >= minio["bytes_used"] + ray["bytes_used"]
    assert rows["postgresql"]["version"] == "17"
    assert minio["addresses"] == ["minio.mlops:9000"]
    page = (tmp_path / "report.txt").read_text()
    assert f"{cluster.name} (desa), Kubernetes v" in page
    assert f"desa99 (desa), Kubernetes unknown: cannot be read\n  {AWAY} cannot be reached" in page
    assert "desa98 (desa), Kubernetes unknown: cannot be read\n" in page
    assert f"says {OTHER}: nothing was sent" in found["desa98"]["error"]
