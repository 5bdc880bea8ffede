"""uninstall.yml on platforms of the test's own: check mode, a second run and the purge; and a failure in the middle."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from e2e.cluster import Cluster
from e2e.fleet import fleet
from e2e.runs import failures, recap

if t.TYPE_CHECKING:
    from testinfra.host import Host

ROOT = "/bitnami"


def objects(cluster: Cluster, name: str) -> list[str]:
    """Names of what the host of a fleet has on the cluster."""
    kinds = "namespaces,persistentvolumes,storageclasses"
    wide = cluster.get(kinds)["items"]
    own = cluster.get("statefulsets,services,configmaps,secrets,persistentvolumeclaims", f"--namespace={name}")["items"]
    mine = [one for one in wide if name in one["metadata"]["name"] + one.get("spec", {}).get("storageClassName", "")]
    return sorted(f"{one['kind']} {one['metadata']['name']}" for one in [*mine, *own])


def folders_of_others(nfs01: Host, mine: str) -> str:
    """Owner, mode and name of the folders of other clusters."""
    find = f"find {ROOT}/deploy-Mlops-* -maxdepth 2 -not -path '{mine}*' -printf '%U:%G %m %p\\n' | sort"
    return t.cast("str", nfs01.check_output(find))


@pytest.mark.full
def test_an_uninstalled_platform_leaves_its_data_and_a_purged_one_nothing(
    cluster: Cluster, nfs01: Host, tmp_path: Path
) -> None:
    with fleet(cluster, tmp_path, 1) as own:
        (name,) = own.names
        folder = f"{ROOT}/deploy-Mlops-{name}"
        own.install()
        nfs01.run_test(f"touch {folder}/redis/data/mark")
        before, others = objects(cluster, name), folders_of_others(nfs01, folder)
        assert "StatefulSet redis" in before

        foretold = recap(own.uninstall("--check", "--diff"), name)
        assert (foretold["failed"], foretold["changed"] > 0) == (0, True)
        assert objects(cluster, name) == before, "check mode removed something"

        done = recap(own.uninstall(), name)
        assert done["changed"] == foretold["changed"], "check mode foretold something else"
        assert objects(cluster, name) == []
        assert nfs01.file(f"{folder}/redis/data/mark").exists
        assert recap(own.uninstall(), name)["changed"] == 0

        refused = own.play("playbooks/uninstall.yml", "-e", f"confirm={name}", "-e", "purge_data=true", check=False)
        assert f"say -e confirm_purge={name}" in refused
        assert nfs01.file(f"{folder}/redis/data/mark").exists

        own.uninstall("--check", purge=True)
        assert nfs01.file(f"{folder}/redis/data/mark").exists, "check mode deleted the data"
        own.uninstall(purge=True)
        assert not nfs01.file(folder).exists
        assert folders_of_others(nfs01, folder) == others
        assert recap(own.uninstall(purge=True), name)["changed"] == 0


@pytest.mark.full
def test_a_failure_in_the_middle_stops_one_cluster_and_the_report_says_where(
    cluster: Cluster, lab: dict[str, t.Any], nfs01: Host, tmp_path: Path
) -> None:
    image = f"{lab['registry']}/redis:none"
    with fleet(cluster, tmp_path, 2, redis_image=image) as own:
        broken, well = own.names
        said = own.install(check=False)
        assert recap(said, well)["failed"] == 0
        assert recap(said, broken)["failed"] == 1
        assert cluster.get("statefulset", "redis", f"--namespace={well}")["status"]["readyReplicas"] == 1
        report = failures(said)
        assert f"done: {well}, nfs01\n" in report
        assert f"failed: {broken} in redis: Make the cluster equal to the set\n" in report
        assert image in report
        assert "not reached" not in report

        own.play("playbooks/report.yml", "-e", f"report_folder={tmp_path}")
        found = {one["cluster"]: one for one in json.loads((tmp_path / "report.json").read_text())}
        rows = {row["component"]: row for row in found[well]["components"]}
        assert (rows["redis"]["installed"], rows["redis"]["ready"]) == (True, True)
        assert (rows["minio"]["installed"], rows["minio"]["ready"]) == (False, False)
        assert not found[well]["ready"], "a platform that lacks components is not ready"
        assert not next(row for row in found[broken]["components"] if row["component"] == "redis")["ready"]
