"""An export and a StorageClass of a test's own, made with the collection's own module on the storage machine."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import typing as t

from e2e.cluster import ROOT, Cluster


class Volume(t.NamedTuple):
    """A StorageClass of the test's own and the folder on nfs01 that its volumes lie in."""

    storage_class: str
    folder: str
    uid: int


@contextlib.contextmanager
def own_volume(cluster: Cluster, lab: dict[str, t.Any], uid: int) -> t.Iterator[Volume]:
    """An export that maps everybody to ``uid``, with a StorageClass that has a subDir; both are removed at the end."""
    name = f"e2e{secrets.token_hex(3)}"
    export(lab, cluster, name, uid, "present")
    cluster.apply(storage_class(name, lab["storage"]["dns_name"]))
    try:
        yield Volume(name, f"/bitnami/{name}/data/volumes", uid)
    finally:
        volumes = cluster.get("persistentvolumes")["items"]
        mine = [v["metadata"]["name"] for v in volumes if v["spec"].get("storageClassName") == name]
        cluster.kubectl("delete", "storageclass", name)
        for volume in mine:
            cluster.kubectl("delete", "persistentvolume", volume, "--wait=true")
        export(lab, cluster, name, uid, "absent")


def storage_class(name: str, server: str) -> dict[str, t.Any]:
    """A class whose volumes lie in folders named after their claims."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "nfs.csi.k8s.io",
        "reclaimPolicy": "Retain",
        "parameters": {
            "server": server,
            "share": f"/bitnami/{name}/data",
            "subDir": "volumes/${pvc.metadata.name}",
            "onDelete": "retain",
        },
        "mountOptions": ["nfsvers=4.1", "hard"],
    }


def export(lab: dict[str, t.Any], cluster: Cluster, name: str, uid: int, state: str) -> None:
    """Make or remove the export; removal takes the data along."""
    entry = {
        "path": f"{name}/data",
        "owner": uid,
        "group": uid,
        "mode": "0700",
        "clients": [cluster.facts["address"]],
        "squash": "all",
        "anonuid": uid,
        "anongid": uid,
    }
    arguments = {"name": name, "root": "/bitnami", "exports": [entry], "state": state}
    if state == "absent":
        arguments |= {"exports": [], "purge_data": True, "confirm": name}
    run_module(lab["storage"]["name"], "mlops.platform.nfs_exports", arguments)


def run_module(host: str, module: str, arguments: dict[str, t.Any]) -> None:
    """Run one module on a host of the lab's inventory."""
    ansible = str(ROOT / ".venv/bin/ansible")
    command = [ansible, "-i", "inventories/lab", host, "-m", module, "-a", json.dumps(arguments)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
