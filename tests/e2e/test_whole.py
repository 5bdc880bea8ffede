"""Uninstall and return: after uninstall.yml and one run of site.yml the platform is as it was."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
import yaml
from e2e import runs
from e2e.cluster import Cluster
from e2e.notebook import NAMESPACE, Run, running_notebook, runs_ray
from e2e.runs import recap

if t.TYPE_CHECKING:
    from testinfra.host import Host

DATABASES = ("mlflow", "mlflow_auth")
# The steps of the example without its last one: the model stays deployed.
IRIS = 'exec(open("iris.py").read().partition("# ## Shut down")[0])'
CALL = """
import json, mlops
from sklearn.datasets import load_iris
features = load_iris(as_frame=True).data.rename(columns=lambda text: text.removesuffix(" (cm)").replace(" ", "_"))
about = {key: mlops.metadata("iris")[key] for key in ("model", "version", "run_id", "env_id", "lock")}
print(json.dumps({"predictions": mlops.call("iris", features), "about": about}))
"""
UNDEPLOY = 'import mlops; mlops.undeploy("iris")'
# Name of each table with the number and the hash of its rows.
ROWS = """
SELECT table_name, (xpath('/row/c/text()', x))[1]::text, (xpath('/row/h/text()', x))[1]::text FROM (
  SELECT table_name, query_to_xml(
    format('SELECT count(*) AS c, md5(string_agg(t::text, chr(10) ORDER BY t::text)) AS h FROM %I t', table_name),
    true, true, '') AS x
  FROM information_schema.tables WHERE table_schema = 'public') found ORDER BY 1
"""
ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"


def play(cluster: Cluster, playbook: str, *options: str, check: bool = True) -> str:
    """Run a playbook on one cluster; its output."""
    return runs.play(["inventories/lab"], playbook, "--limit", f"{cluster.name},storage", *options, check=check)


def psql(cluster: Cluster, database: str, statement: str) -> list[str]:
    """Rows of a statement."""
    arguments = ["psql", "-AtqX", "-d", database, "-c", statement]
    return cluster.execute(NAMESPACE, "postgresql-0", *arguments).splitlines()


def folder(cluster: Cluster) -> str:
    """The cluster's folder on the storage machine."""
    return f"/bitnami/deploy-Mlops-{cluster.name}"


def objects(nfs01: Host, cluster: Cluster) -> list[str]:
    """SHA-256 and path of each file below MinIO's buckets."""
    script = f"cd {folder(cluster)}/minio/data && find mlflow code -type f -exec sha256sum {{}} + | sort -k 2"
    return t.cast("str", nfs01.check_output(script)).splitlines()


def object_users(nfs01: Host, cluster: Cluster) -> list[str]:
    """Names of MinIO's users and policies."""
    script = f"cd {folder(cluster)}/minio/data/.minio.sys/config/iam && ls -1 users policies"
    return t.cast("str", nfs01.check_output(script)).splitlines()


def applications(cluster: Cluster) -> list[t.Any]:
    """Entries of serveConfigV2."""
    service = cluster.get("rayservice", "ray", f"--namespace={NAMESPACE}")
    return sorted(yaml.safe_load(service["spec"]["serveConfigV2"])["applications"], key=lambda one: one["name"])


def snapshot(cluster: Cluster, nfs01: Host, run: Run) -> dict[str, t.Any]:
    """All that must be the same afterwards: counts and hashes."""
    tables = {name: psql(cluster, name, ROWS) for name in DATABASES}
    return {
        **tables,
        "roles": psql(cluster, "postgres", ROLES),
        "objects": objects(nfs01, cluster),
        "object users": object_users(nfs01, cluster),
        "applications": applications(cluster),
        "answers": json.loads(run("iris", "python", "-c", CALL).splitlines()[-1]),
    }


def left_on(cluster: Cluster) -> dict[str, list[str]]:
    """What of the platform the cluster still has."""
    kinds = [
        "namespaces",
        "persistentvolumes",
        "storageclasses",
        "customresourcedefinitions",
        "clusterroles",
        "clusterrolebindings",
        "csidrivers",
    ]
    kinds += ["priorityclasses", "validatingadmissionpolicies", "validatingadmissionpolicybindings"]
    names = {kind: cluster.kubectl("get", kind, "-o", "name").split() for kind in kinds}
    marks = ("mlops", "ray.io", "nfs.csi", "kuberay", "nfs-csi", "/pvc-")
    return {kind: [name for name in found if any(mark in name for mark in marks)] for kind, found in names.items()}


@contextlib.contextmanager
def ray_cluster_of_another(cluster: Cluster) -> t.Iterator[None]:
    """A RayCluster in a namespace that the platform's operator does not look at."""
    name = "somebody-elses"
    pod = {"spec": {"containers": [{"name": "ray", "image": "none"}]}}
    foreign = {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": name, "namespace": name},
        "spec": {"headGroupSpec": {"rayStartParams": {}, "template": pod}},
    }
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, foreign)
    try:
        yield
    finally:
        cluster.kubectl("delete", "raycluster", name, f"--namespace={name}", "--ignore-not-found")
        cluster.kubectl("delete", "namespace", name, "--wait=true")


def uninstalled(cluster: Cluster) -> None:
    """Uninstall: first beside a RayCluster of somebody else, then alone, then where nothing is left."""
    confirm = ("-e", f"confirm={cluster.name}")
    with ray_cluster_of_another(cluster):
        play(cluster, "playbooks/uninstall.yml", *confirm)
        assert "rayclusters.ray.io" in " ".join(left_on(cluster)["customresourcedefinitions"])
        assert cluster.get("rayclusters", "--all-namespaces")["items"], "the RayCluster of somebody else went"
    play(cluster, "playbooks/uninstall.yml", *confirm)
    assert not any(left_on(cluster).values()), left_on(cluster)
    assert recap(play(cluster, "playbooks/uninstall.yml", *confirm), cluster.name)["changed"] == 0


def refusals(cluster: Cluster) -> None:
    """No word removes anything but the two confirmations."""
    assert f"say -e confirm={cluster.name}" in play(cluster, "playbooks/uninstall.yml", check=False)
    confirmed = ["-e", f"confirm={cluster.name}", "-e", "purge_data=true"]
    refused = play(cluster, "playbooks/uninstall.yml", *confirmed, check=False)
    assert f"say -e confirm_purge={cluster.name}" in refused
    assert f"{folder(cluster)}/minio" in refused, "the sizes of what a purge deletes are shown"


@pytest.mark.alone
def test_the_platform_returns_as_it_was(cluster: Cluster, nfs01: Host, image: t.Callable[[str], str]) -> None:
    if not runs_ray(cluster):
        pytest.skip("this lab runs no RayService mlops/ray")
    with running_notebook(cluster, image("notebook")) as run:
        run("iris", "python", "-c", IRIS)
        before = snapshot(cluster, nfs01, run)
    refusals(cluster)
    assert runs_ray(cluster), "a refused uninstall removed something"

    uninstalled(cluster)
    assert objects(nfs01, cluster) == before["objects"], "uninstalling changed the data"

    assert recap(play(cluster, "site.yml", "--check", "--diff"), cluster.name)["changed"] > 0
    assert not any(left_on(cluster).values()), "check mode made something"

    play(cluster, "site.yml")
    with running_notebook(cluster, image("notebook")) as run:
        after = snapshot(cluster, nfs01, run)
        run("iris", "python", "-c", UNDEPLOY)
    for what, value in before.items():
        assert after[what] == value, what
    again = play(cluster, "site.yml")
    assert recap(again, cluster.name)["changed"] == recap(again, "nfs01")["changed"] == 0
