"""Jobs as AWX runs them: no prompt, a read-only checkout, one inventory script, a kubeconfig in the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from e2e.cluster import ROOT, Cluster

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.platform

JOB = Path(__file__).with_name("awx_job.py")


@pytest.fixture(scope="module")
def inventory(cluster: Cluster) -> str:
    """The lab's inventory as AWX hands it over; the kubeconfig is a credential, found as the examples find it."""
    command = [str(ROOT / ".venv/bin/ansible-inventory"), "-i", "inventories/lab", "--list", "--export"]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    shipped = yaml.safe_load((ROOT / "inventories/prod/hosts.yml").read_text())["prod"]["hosts"]["prod01"]
    found["_meta"]["hostvars"][cluster.name]["cluster_kubeconfig"] = shipped["cluster_kubeconfig"]
    return json.dumps(found)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A home with a short path: a socket of SSH lies in it."""
    with tempfile.TemporaryDirectory(prefix="awx-") as name:
        yield Path(name)


def job(folder: Path, inventory: str, playbook: str, cluster: Cluster, **extra: t.Any) -> dict[str, t.Any]:
    """What came of a job."""
    private = folder / "private"
    for name in ("inventory", "env"):
        (private / name).mkdir(parents=True)
    script = private / "inventory" / "hosts"
    script.write_text(f"#!/bin/sh\ncat <<'INVENTORY'\n{inventory}\nINVENTORY\n")
    script.chmod(0o755)
    (private / "env" / "envvars").write_text(json.dumps({"K8S_AUTH_KUBECONFIG": cluster.facts["kubeconfig"]}))
    (private / "env" / "extravars").write_text(json.dumps(extra))
    (private / "env" / "cmdline").write_text(f"--limit {cluster.name},storage")
    command = ["unshare", "--mount", sys.executable, "-P", str(JOB), str(ROOT), str(private), playbook]
    environment = {**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "HOME": str(folder)}
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL)
    return t.cast("dict[str, t.Any]", json.loads((private / "result.json").read_text()))


def test_the_platform_is_a_job(folder: Path, inventory: str, cluster: Cluster) -> None:
    result = job(folder, inventory, "site.yml", cluster)
    assert result["status"] == "successful", result["stdout"][-4000:]
    assert cluster.name in result["stats"]["ok"]
    assert result["stats"]["changed"] == result["stats"]["failures"] == {}


def test_the_report_is_a_job_and_its_result_lies_outside_of_the_project(
    folder: Path, inventory: str, cluster: Cluster
) -> None:
    result = job(folder, inventory, "playbooks/report.yml", cluster, report_folder=str(folder))
    assert result["status"] == "successful", result["stdout"][-4000:]
    assert [one["ready"] for one in json.loads((folder / "report.json").read_text())] == [True]


def test_what_would_write_into_the_project_fails(folder: Path, inventory: str, cluster: Cluster) -> None:
    """Otherwise the tests above would prove nothing."""
    private = folder / "private"
    result = job(folder, inventory, "playbooks/report.yml", cluster, report_folder=str(private / "project"))
    assert result["status"] == "failed"
    assert "Read-only file system" in result["stdout"] or "not writable" in result["stdout"]
