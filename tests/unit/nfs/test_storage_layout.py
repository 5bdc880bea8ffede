# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The storage layout: from the table of components to exports, StorageClasses and the policy for claims."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter import nfs_kube, storage_layout
from ansible_collections.mlops.platform.plugins.module_utils._nfs import spec

DEFAULTS = yaml.safe_load((Path(__file__).parents[3] / "roles/defaults/defaults/main.yml").read_text())
TABLE = DEFAULTS["mlops_components"]


def layout(table: dict[str, t.Any] = TABLE, **changes: t.Any) -> dict[str, t.Any]:
    base = {"cluster": "prod01", "root": "/bitnami", "folder": "deploy-Mlops-prod01", "server": "nfs.example.com"}
    return storage_layout.storage_layout(table, **{**base, **changes})


def test_the_contract() -> None:
    minio = layout(mount_options=["nfsvers=4.1", "hard"])["minio"]
    assert minio["path"] == minio["share"] == "/bitnami/deploy-Mlops-prod01/minio"
    assert minio["volume"] == "/bitnami/deploy-Mlops-prod01/minio/data"
    assert (minio["uid"], minio["gid"], minio["storage_class"], minio["quota"]) == (1000, 1000, "mlops-minio", "100Gi")
    assert (minio["server"], minio["mount_options"]) == ("nfs.example.com", ["nfsvers=4.1", "hard"])


def test_the_users_of_the_contract() -> None:
    found = {name: (row["uid"], row["gid"], row.get("folder", "")) for name, row in layout().items()}
    assert found == {
        "postgresql": (999, 999, "postgresql"),
        "redis": (999, 999, "redis"),
        "minio": (1000, 1000, "minio"),
        "mlflow": (1001, 1001, ""),
        "ray": (1000, 100, "ray"),
        "jupyterhub": (1000, 100, "jupyterhub"),
        "backup": (1002, 1002, "backup"),
    }


def test_fields_can_be_changed_one_by_one() -> None:
    found = layout(override={"minio": {"size": "500Gi", "options": ["nconnect=4"]}}, mount_options=["hard"])
    assert (found["minio"]["size"], found["minio"]["quota"], found["minio"]["uid"]) == ("500Gi", "500Gi", 1000)
    assert found["minio"]["mount_options"] == ["hard", "nconnect=4"]
    assert found["redis"]["size"] == TABLE["redis"]["size"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster": "Prod 01"}, "cluster_name: 'Prod 01'"),
        ({"root": "bitnami"}, "mlops_nfs_root: 'bitnami' is not absolute"),
        ({"folder": "../other"}, "mlops_nfs_folder: "),
        ({"server": ""}, "mlops_nfs_server: "),
        ({"override": {"minio": {"port": "abc"}}}, "mlops_components.minio.port: 'abc' is not a port"),
        ({"override": {"mino": {}}}, "mlops_components_override: there is no component 'mino'; known are backup, jup"),
        ({"override": {"minio": {"sise": "1Gi"}}}, "mlops_components_override.minio: unknown field 'sise'"),
        ({"override": {"minio": {"uid": "1000"}}}, "mlops_components.minio.uid: '1000' is not a number"),
        ({"override": {"minio": {"gid": 0}}}, "mlops_components.minio.gid: '0'"),
        ({"override": {"minio": {"size": "big"}}}, "mlops_components.minio.size: 'big' is not a size"),
        ({"override": {"minio": {"size": "0"}}}, "mlops_components.minio.size: '0' is nothing"),
        ({"override": {"minio": {"quota": "1 Gi"}}}, "mlops_components.minio.quota: "),
        ({"override": {"minio": {"mode": "rwx"}}}, "mlops_components.minio.mode: "),
        ({"override": {"minio": {"folder": "/abs"}}}, "mlops_components.minio.folder: "),
        ({"override": {"minio": {"subdir": "a/../b"}}}, "mlops_components.minio.subdir: "),
        ({"override": {"minio": {"claim": ""}}}, "mlops_components.minio.claim: it is missing"),
    ],
)
def test_a_wrong_value_names_its_variable(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match="^" + message.replace(".", r"\.")):
        layout(**changes)


@pytest.mark.parametrize("root", ["/bitnami", "/bitnami/", "/srv/nfs", "/srv//nfs"])
def test_the_exports_are_what_the_module_takes(root: str) -> None:
    exports = storage_layout.nfs_exports(layout(root=root), root, ["10.0.0.0/24"], secure=False)
    assert [one["path"] for one in exports] == [
        f"deploy-Mlops-prod01/{name}" for name in ("postgresql", "redis", "minio", "ray", "jupyterhub", "backup")
    ]
    missing = {"access": None, "sync": None, "options": [], "directories": []}
    params = {
        "name": "prod01", "root": root, "folder": "deploy-Mlops-prod01", "state": "present", "parent_mode": "0711",
        "allow_everyone": False, "exports": [{**missing, **one} for one in exports],
    }  # fmt: skip
    found = spec.wanted(params, {}.__getitem__, {}.__getitem__)
    postgresql = found.exports[0]
    assert (postgresql.rules.squash, postgresql.rules.anonuid, postgresql.rules.anongid) == ("all", 999, 999)
    assert (postgresql.rules.secure, postgresql.quota) == (False, 20 << 30)
    assert found.folders[0] == spec.Folder("deploy-Mlops-prod01", 0, 0, 0o711)


@pytest.mark.parametrize("given", ["/srv/nfs", "/bit", "/bitnami/deploy-Mlops-prod01/minio"])
def test_a_root_that_does_not_hold_the_folders_is_refused(given: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"^nfs_exports_root: '/bitnami/.* does not lie below '{given}'"):
        storage_layout.nfs_exports(layout(), given, ["h"])


def test_a_root_that_is_no_path_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^nfs_exports_root: 'bitnami' is not absolute"):
        storage_layout.nfs_exports(layout(), "bitnami", ["h"])


def test_no_quota_when_none_is_wanted() -> None:
    exports = storage_layout.nfs_exports(layout(), "/bitnami", ["h"], quota=False)
    assert {one["quota"] for one in exports} == {""}


def test_storage_classes() -> None:
    classes = {one["metadata"]["name"]: one for one in nfs_kube.nfs_storage_classes(layout(), {"team": "ml"})}
    assert len(classes) == 6
    homes = classes["mlops-jupyterhub"]
    assert homes["metadata"]["labels"] == {"team": "ml"}
    assert homes["parameters"] == {
        "server": "nfs.example.com",
        "share": "/bitnami/deploy-Mlops-prod01/jupyterhub",
        "subDir": "homes/${pvc.metadata.name}",
        "onDelete": "retain",
    }
    assert (homes["provisioner"], homes["reclaimPolicy"]) == ("nfs.csi.k8s.io", "Retain")


def test_the_policy_names_each_class_with_its_claim() -> None:
    policy, binding = nfs_kube.nfs_claim_policy(layout(), "mlops")
    expression = policy["spec"]["validations"][0]["expression"]
    own = "(object.metadata.namespace == 'mlops' && object.metadata.name == 'minio-data')"
    assert f"variables.class == 'mlops-minio' ? {own} : " in expression
    assert "object.metadata.name.startsWith('claim-')" in expression
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
