"""The lab itself: nodes, DNS, volumes over NFS, restarts of the CSI node pod, and a second `make lab`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t

import pytest
from e2e.cluster import ROOT, Cluster, claim, in_namespace, pod
from e2e.conftest import PULL_SECRET
from e2e.volume import Volume, own_volume

if t.TYPE_CHECKING:
    from testinfra.host import Host

pytestmark = pytest.mark.platform

Image = t.Callable[[str], str]


def test_the_node_is_ready_and_runs_the_built_kubernetes(cluster: Cluster) -> None:
    nodes = cluster.get("nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes] == [cluster.name]
    conditions = {c["type"]: c["status"] for c in nodes[0]["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    required = re.search(r"k8s\.io/kubernetes (v\S+)", (ROOT / "lab/go/kube/go.mod").read_text())
    assert required
    assert nodes[0]["status"]["nodeInfo"]["kubeletVersion"] == required[1]


def test_pod_security_restricted_is_the_default(cluster: Cluster, namespace: str) -> None:
    privileged = pod("privileged", "any", ["true"])
    privileged["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    refused = cluster.kubectl(
        "create", "--filename=-", f"--namespace={namespace}", stdin=json.dumps(privileged), check=False
    )
    assert 'violates PodSecurity "restricted:latest"' in refused


def test_a_pod_reaches_a_service_by_its_name(cluster: Cluster, namespace: str, image: Image) -> None:
    command = ["redis-server", "--save", "", "--dir", "/tmp", "--protected-mode", "no"]
    server = pod("server", image("redis"), command, pull_secret=PULL_SECRET)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "answers"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 6379}]},
    }
    script = (
        f"until timeout 2 redis-cli -h answers.{namespace}.svc.cluster.local ping | grep -q PONG; do sleep 0.2; done"
    )
    client = pod("client", image("redis"), ["timeout", "60", "sh", "-c", script], pull_secret=PULL_SECRET)
    cluster.apply(*in_namespace(namespace, server, service, client))
    cluster.wait("jsonpath={.status.phase}=Succeeded", "pod/client", namespace)


@pytest.fixture
def volume(cluster: Cluster, lab: dict[str, t.Any]) -> t.Iterator[Volume]:
    """An export of the test's own. A test names it before its namespace: the claims go first, the volume after them."""
    with own_volume(cluster, lab, uid=4711) as made:
        yield made


def test_two_pods_share_a_volume_and_the_server_has_the_right_owner(
    cluster: Cluster, volume: Volume, namespace: str, image: Image, nfs01: Host
) -> None:
    options = {"claim": "shared", "uid": volume.uid, "pull_secret": PULL_SECRET}
    writer = pod("writer", image("redis"), ["sh", "-c", "echo from-the-writer > /data/note"], **options)
    cluster.apply(*in_namespace(namespace, claim("shared", volume.storage_class, "ReadWriteMany"), writer))
    cluster.wait("jsonpath={.status.phase}=Succeeded", "pod/writer", namespace)
    reader = pod("reader", image("redis"), ["cat", "/data/note"], **options)
    cluster.apply(*in_namespace(namespace, reader))
    cluster.wait("jsonpath={.status.phase}=Succeeded", "pod/reader", namespace)
    assert cluster.kubectl("logs", f"--namespace={namespace}", "reader").strip() == "from-the-writer"
    note = nfs01.file(f"{volume.folder}/shared/note")
    assert note.content_string == "from-the-writer\n"
    assert (note.uid, note.gid) == (volume.uid, volume.uid)


# Meanwhile no pod of the node can mount.
@pytest.mark.alone
def test_a_restart_of_the_csi_node_pod_interrupts_no_writer(
    cluster: Cluster, volume: Volume, namespace: str, image: Image, nfs01: Host
) -> None:
    script = "n=0; until [ -e /data/stop ]; do n=$((n+1)); echo $n >> /data/lines || exit 1; done; echo $n"
    writer = pod("writer", image("redis"), ["sh", "-c", script], claim="c", uid=volume.uid, pull_secret=PULL_SECRET)
    cluster.apply(*in_namespace(namespace, claim("c", volume.storage_class), writer))
    cluster.wait("condition=Ready", "pod/writer", namespace)
    cluster.kubectl("rollout", "restart", "daemonset/csi-driver-nfs-node", "--namespace=mlops-storage")
    cluster.kubectl("rollout", "status", "daemonset/csi-driver-nfs-node", "--namespace=mlops-storage", "--timeout=120s")
    # The writer may end before the exec does: what counts is read from its log.
    cluster.execute(namespace, "writer", "touch", "/data/stop", check=False)
    cluster.wait("jsonpath={.status.phase}=Succeeded", "pod/writer", namespace)
    count = int(cluster.kubectl("logs", f"--namespace={namespace}", "writer"))
    written = nfs01.file(f"{volume.folder}/c/lines").content_string.split()
    assert written == [str(number) for number in range(1, count + 1)]


def test_make_lab_on_a_running_lab_changes_nothing(lab: dict[str, t.Any]) -> None:
    environment = {**os.environ, "LAB_NAME": lab["name"], "LAB_CLUSTERS": ""}
    result = subprocess.run(
        ["lab/bin/lab", "up"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert re.search(r"localhost\s+: ok=\d+\s+changed=0 ", result.stdout), result.stdout
