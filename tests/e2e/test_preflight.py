"""Preflight on the lab: what is wrong is named before anything is changed, and nothing is left behind."""

from __future__ import annotations

import json
import secrets
import subprocess
import typing as t
from pathlib import Path

import pytest
from e2e.cluster import ROOT, Cluster, in_namespace

from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.kubeconfig import connection_from
from ansible_collections.mlops.platform.plugins.module_utils._preflight import images

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.platform

NAMES = ["reachability", "version", "permissions", "node addresses", "capacity", "images", "storage"]


def preflight(cluster: Cluster, folder: Path, *options: str, **variables: t.Any) -> tuple[str, dict[str, t.Any]]:
    """What the playbook says, and the results that it writes."""
    playbook = variables.pop("playbook", "playbooks/preflight.yml")
    extra = {"preflight_volumes": False, "preflight_json_folder": str(folder), **variables}
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "inventories/lab", playbook, *options]
    command += ["--limit", f"{cluster.name},storage", "--extra-vars", json.dumps(extra)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    written = folder / f"{cluster.name}.json"
    found = json.loads(written.read_text())["checks"] if written.exists() else []
    return " ".join(result.stdout.split()), {check["check"]: check for check in found}


@pytest.fixture(autouse=True)
def nothing_left(cluster: Cluster) -> Iterator[None]:
    """The namespace of the pods goes away again."""
    yield
    cluster.kubectl("wait", "--for=delete", "namespace", "--selector=mlops.platform/preflight", "--timeout=120s")


def test_the_lab_is_what_the_platform_needs(cluster: Cluster, tmp_path: Path) -> None:
    said, found = preflight(cluster, tmp_path)
    assert list(found) == NAMES
    assert {check["status"] for check in found.values()} == {"ok"}, said
    assert "failed=0" in said


def test_an_image_that_cannot_be_pulled_is_named(cluster: Cluster, lab: dict[str, t.Any], tmp_path: Path) -> None:
    image = f"{lab['registry']}/redis:none"
    said, found = preflight(cluster, tmp_path, redis_image=image)
    assert found["images"]["status"] == "failed"
    assert f"{image}: " in found["images"]["message"]
    assert "not found" in found["images"]["message"]
    assert "push them with playbooks/images.yml" in said


def test_an_image_that_no_node_has_is_pulled(cluster: Cluster, fresh_image: str, tmp_path: Path) -> None:
    said, checks = preflight(cluster, tmp_path, redis_image=fresh_image)
    found = checks["images"]
    assert found["status"] == "ok", said
    assert found["message"].startswith("1 pulled by a pod") or found["message"].startswith("2 pulled by a pod")


def test_check_mode_makes_no_pods(cluster: Cluster, lab: dict[str, t.Any], tmp_path: Path) -> None:
    found = preflight(cluster, tmp_path, "--check", redis_image=f"{lab['registry']}/redis:none")[1]["images"]
    assert found["status"] == "skipped"


def test_too_much_is_refused_or_only_a_warning(cluster: Cluster, tmp_path: Path) -> None:
    large = {"requests": {"cpu": 1000, "memory": "1Gi"}}
    said, found = preflight(cluster, tmp_path, redis_resources=large)
    assert "redis requests 1000 CPU and 1.0 GiB, and no node has that left" in found["capacity"]["message"]
    assert "failed=1" in said
    said, found = preflight(cluster, tmp_path, redis_resources=large, preflight_warn_only=["capacity"])
    assert found["capacity"]["status"] == "warning"
    assert "failed=0" in said


def test_nodes_outside_of_the_networks_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    found = preflight(cluster, tmp_path, cluster_node_networks=["192.0.2.0/24"])[1]["node addresses"]
    assert found["status"] == "failed"
    assert "add their network to cluster_node_networks" in found["message"]


def test_a_user_without_rights_reads_which_are_missing(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    cluster.kubectl("create", "serviceaccount", "nobody", f"--namespace={namespace}")
    token = cluster.kubectl("create", "token", "nobody", f"--namespace={namespace}").strip()
    user = {"cluster_kubeconfig": "", "cluster_host": cluster.facts["server"], "cluster_api_key": token}
    ca_cert = tmp_path / "ca.crt"
    ca_cert.write_text(cluster.get("configmap", "kube-root-ca.crt", f"--namespace={namespace}")["data"]["ca.crt"])
    said, found = preflight(cluster, tmp_path, cluster_ca_cert=str(ca_cert), **user)
    assert "get, create pods/portforward in mlops;" in found["permissions"]["message"]
    assert "list nodes of the cluster" in found["permissions"]["message"]
    assert list(found) == [*NAMES[:3], "storage"], "what needs the rights is not tried"
    assert token not in said


def test_a_server_that_does_not_answer_is_named(cluster: Cluster, tmp_path: Path) -> None:
    nowhere = {"cluster_kubeconfig": "", "cluster_host": "https://127.0.0.1:9", "cluster_api_key": "x"}
    _said, found = preflight(cluster, tmp_path, cluster_server="https://127.0.0.1:9", **nowhere)
    assert list(found) == ["reachability", "storage"]
    assert "https://127.0.0.1:9 cannot be reached" in found["reachability"]["message"]


def test_the_kubeconfig_of_another_cluster_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / f"{cluster.name}.json").write_text('{"checks": [{"check": "reachability", "status": "ok"}]}')
    said, found = preflight(cluster, tmp_path, cluster_server="https://other.example.org:6443")
    why = "expected_server (variable cluster_server) says https://other.example.org:6443: nothing was sent"
    assert list(found) == ["reachability", "storage"]
    assert why in found["reachability"]["message"]
    assert why in said
    assert "failed=1" in said


@pytest.mark.parametrize(
    ("playbook", "options"), [("playbooks/preflight.yml", ()), ("site.yml", ("--tags", "preflight"))]
)
def test_the_volumes_are_checked_and_in_the_result(
    cluster: Cluster, tmp_path: Path, playbook: str, options: tuple[str, ...]
) -> None:
    # How fast the disk is under the load of other tests is not what is asked here.
    slow = {"nfs_check_fsync_fail_ms": 60000}
    said, found = preflight(cluster, tmp_path, *options, playbook=playbook, preflight_volumes=True, **slow)
    volumes = [name for name in found if name.startswith("volume ")]
    assert list(found) == [*NAMES, *volumes]
    assert {"volume postgresql", "volume redis", "volume minio", "volume ray"} <= set(volumes)
    assert not [found[name] for name in volumes if found[name]["status"] not in ("ok", "warning")]
    assert "fsync" in found["volume redis"]["message"]
    assert "failed=0" in said


def test_without_storage_classes_the_volumes_wait(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    said, found = preflight(cluster, tmp_path, preflight_volumes=True, mlops_storage_namespace=namespace)
    assert found["volumes"]["status"] == "skipped"
    assert "site.yml checks the volumes as soon as they are" in found["volumes"]["message"]
    assert "failed=0" in said


def test_a_storage_server_that_is_away_is_named(cluster: Cluster, tmp_path: Path) -> None:
    # A port that refuses, of any address.
    said, found = preflight(cluster, tmp_path, ansible_port=9)
    assert found["storage"]["status"] == "failed"
    assert "cannot be reached by SSH" in found["storage"]["message"]
    assert "failed=1" in said


def test_a_root_that_is_not_there_yet_is_no_failure(cluster: Cluster, tmp_path: Path) -> None:
    found = preflight(cluster, tmp_path, preflight_storage_root="/nowhere")[1]["storage"]
    assert found["status"] == "skipped"
    found = preflight(cluster, tmp_path, preflight_storage_mountpoint="/etc")[1]["storage"]
    assert found["status"] == "failed"


def test_a_pod_that_cannot_be_placed_says_why(cluster: Cluster, namespace: str) -> None:
    wanted = images.pod("nowhere/at-all:1", [])
    wanted["spec"]["serviceAccountName"] = "default"
    wanted["spec"]["nodeSelector"] = {"mlops.platform/preflight": "nowhere"}
    cluster.apply(*in_namespace(namespace, wanted))
    options = {"kubeconfig": cluster.facts["kubeconfig"], "allow_any_server": True}
    with Client(connection_from(options)) as client:
        found = images.waited(client, f"/api/v1/namespaces/{namespace}/pods", ["nowhere/at-all:1"], 5)
    assert found["nowhere/at-all:1"].startswith("its pod cannot be placed: 0/1 nodes are available")


def test_a_namespace_of_a_parallel_run_stays(cluster: Cluster, fresh_image: str, parallel: str, tmp_path: Path) -> None:
    said, found = preflight(cluster, tmp_path, redis_image=fresh_image)
    assert found["images"]["status"] == "ok", said
    assert cluster.get("namespace", parallel)["status"]["phase"] == "Active"


@pytest.fixture
def parallel(cluster: Cluster) -> Iterator[str]:
    """A namespace as another run has it."""
    name = f"mlops-preflight-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, f"{images.LABEL}=true")
    yield name
    cluster.kubectl("delete", "namespace", name)
