# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventories that cannot be right are refused by the playbook, in one message, before anything is connected to."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from playbook import run

CLUSTER = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "cluster_name": "prod01",
    "cluster_server": "https://prod01.example.org:6443",
    "cluster_node_networks": ["10.20.0.0/24"],
    "cluster_kubeconfig": "/does/not/exist",
}
GOOD: dict[str, t.Any] = {
    "storage": {"hosts": {"nfs01": {"ansible_connection": "local", "ansible_become": False}}},
    "prod": {
        "vars": {
            "mlops_environment": "prod",
            "storage_host": "nfs01",
            "images_registry": "registry.example.org/mlops",
            "platform_master_key": "0123456789abcdef0123456789abcdef",
        },
        "hosts": {"prod01": CLUSTER},
    },
}
Change = t.Callable[[dict[str, t.Any]], object]


def said(*arguments: str, playbook: str = "preflight") -> str:
    """What the playbook says; it must fail."""
    status, text = run(playbook, *arguments)
    assert status != 0, text
    return text


def written(folder: Path, inventory: dict[str, t.Any]) -> str:
    """The inventory as a file."""
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(inventory))
    return str(path)


def encrypted(folder: Path, text: str) -> Path:
    """A file of variables beside the inventory, which the password "right" opens."""
    path = folder / "group_vars" / "all" / "vault.yml"
    path.parent.mkdir(parents=True)
    path.write_bytes(VaultLib([("default", VaultSecret(b"right"))]).encrypt(text))
    return path


@pytest.mark.parametrize("name", ["user", "desa", "test", "prod"])
def test_the_examples_are_refused_by_the_names_of_their_placeholders(name: str) -> None:
    text = said("-i", f"inventories/{name}")
    for variable in (
        "ansible_host",
        "cluster_server",
        "cluster_node_networks[0]",
        "images_registry",
        "mlops_nfs_server",
    ):
        assert f"{variable}: it is still CHANGE_ME" in text
    assert "platform_master_key: it is missing" in text
    assert "no such variable" not in text


def test_a_good_inventory_gets_as_far_as_its_cluster(tmp_path: Path) -> None:
    text = said("-i", written(tmp_path, GOOD))
    assert "kubeconfig /does/not/exist cannot be read" in text


def test_what_keeps_a_cluster_from_being_reached_is_written_over_older_results(tmp_path: Path) -> None:
    result = tmp_path / "prod01.json"
    result.write_text('{"checks": [{"check": "reachability", "status": "ok"}]}')
    text = said(
        "-i", written(tmp_path, GOOD), "--extra-vars", f"preflight_json_folder={tmp_path} mlops_nfs_root=/nowhere"
    )
    checks = {check["check"]: check for check in json.loads(result.read_text())["checks"]}
    assert {name: check["status"] for name, check in checks.items()} == {"reachability": "failed", "storage": "skipped"}
    assert checks["reachability"]["message"].startswith("kubeconfig /does/not/exist cannot be read")
    assert "nothing was changed on prod01: - kubeconfig /does/not/exist cannot be read" in text
    assert text.count("fatal: ") == 1


def cluster(inventory: dict[str, t.Any]) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", inventory["prod"]["hosts"]["prod01"])


def twin(inventory: dict[str, t.Any], **changes: t.Any) -> None:
    inventory["prod"]["hosts"]["prod02"] = {**CLUSTER, "cluster_name": "prod02", **changes}


FOLDER = "deploy-Mlops-prod01"
OTHER = "https://prod02.example.org:6443"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda i: cluster(i).update(postgresql_storage_sise="5Gi"),
            "postgresql_storage_sise: the collection has no such variable; did you mean postgresql_storage_size?",
        ),
        (lambda i: cluster(i).update(mlops_enviroment="prod"), "did you mean mlops_environment?"),
        (lambda i: cluster(i).update(storage_hosts="nfs01"), "storage_hosts: the collection has no such variable"),
        (
            lambda i: twin(i, cluster_server=OTHER, mlops_nfs_folder="deploy-Mlops-prod01"),
            "prod01 and prod02: mlops_nfs_folder: both have the folder /bitnami/deploy-Mlops-prod01 on nfs01",
        ),
        (
            lambda i: twin(i, cluster_server=OTHER, mlops_nfs_root="/bitnami//", mlops_nfs_folder=f"{FOLDER}/"),
            "prod01 and prod02: mlops_nfs_folder: both have the folder /bitnami/deploy-Mlops-prod01 on nfs01",
        ),
        (
            lambda i: twin(i, cluster_server=OTHER, mlops_nfs_folder=f"{FOLDER}/inner"),
            f"prod02 and prod01: mlops_nfs_folder: /bitnami/{FOLDER}/inner lies in /bitnami/{FOLDER} on nfs01",
        ),
        (
            lambda i: cluster(i).update(mlflow_replicas="{{ 'th' ~ 'ree' }}"),
            "prod01: mlflow_replicas: is str and cannot be read as int; write a value of the type int",
        ),
        (
            lambda i: cluster(i).update(minio_buckets=None),
            "prod01: minio_buckets: is NoneType and cannot be read as list; write a value of the type list of dict",
        ),
        (
            lambda i: i["prod"]["hosts"].update(localhost={"ansible_connection": "local"}),
            "localhost: cluster_name: it is missing",
        ),
        (
            lambda i: cluster(i).update(ray_service_workers=[{"replicas": 2}]),
            "prod01: ray_service_workers: missing required arguments: name, resources found in ray_service_workers",
        ),
        (
            lambda i: cluster(i).update(object_store_type="s3"),
            "prod01: object_store_type: value of object_store_type must be one of: minio, external, got: s3",
        ),
        (
            lambda i: i["storage"]["hosts"]["nfs01"].update(nfs_server_grace_time="soon"),
            "nfs01: nfs_server_grace_time: is str and cannot be read as int",
        ),
        (
            lambda i: cluster(i).update(redis_maxmemory="{{ nowhere }}"),
            "prod01: redis_maxmemory: its value cannot be made: ",
        ),
        (lambda i: twin(i), "prod01 and prod02: cluster_server: both are https://prod01.example.org:6443"),
        (
            lambda i: i.update(test={"hosts": {"prod01": {}}}),
            "prod01: it is in the groups prod and test; a cluster belongs to one environment",
        ),
        (
            lambda i: i["prod"]["vars"].update(storage_host="nfs02"),
            "storage_host: nfs02 is not in the group storage of this inventory; it has nfs01",
        ),
        (lambda i: i.pop("storage"), "it has none: write the storage server there"),
        (lambda i: i["prod"]["vars"].pop("storage_host"), "storage_host: it is missing"),
        (lambda i: i["prod"]["vars"].pop("platform_master_key"), "platform_master_key: it is missing"),
        (
            lambda i: i["prod"]["vars"].update(platform_master_key="{{ vault_key }}"),
            "platform_master_key: its value cannot be made: ",
        ),
        (
            lambda i: i["prod"]["vars"].update(platform_master_key="short"),
            "platform_master_key: it has 5 characters; give at least 32 random characters",
        ),
        (lambda i: cluster(i).pop("cluster_server"), "cluster_server: it is missing"),
    ],
)
def test_a_fault_is_named_with_its_remedy(tmp_path: Path, change: Change, words: str) -> None:
    inventory = copy.deepcopy(GOOD)
    change(inventory)
    text = said("-i", written(tmp_path, inventory))
    assert words in text
    assert "nothing was touched" in text
    assert "/does/not/exist" not in text


def test_a_limit_does_not_hide_the_other_hosts(tmp_path: Path) -> None:
    inventory = copy.deepcopy(GOOD)
    twin(inventory, cluster_server=OTHER, mlops_nfs_folder="deploy-Mlops-prod01")
    assert "both have the folder" in said("-i", written(tmp_path, inventory), "--limit", "prod01")


def test_values_of_an_import_and_of_the_command_line_are_looked_at_too(tmp_path: Path) -> None:
    inventory = written(tmp_path, GOOD)
    words = "prod01: redis_port: is str and cannot be read as int"
    assert words in said("-i", inventory, "--extra-vars", "redis_port=six", playbook="platform")
    play = {"ansible.builtin.import_playbook": "mlops.platform.platform", "vars": {"redis_port": "six"}}
    (tmp_path / "own.yml").write_text(yaml.safe_dump([play]))
    assert words in said("-i", inventory, playbook=str(tmp_path / "own"))


def test_a_missing_vault_password_is_named(tmp_path: Path) -> None:
    """An encrypted value whose password was not given."""
    text = yaml.safe_dump(GOOD).replace(
        "platform_master_key: 0123456789abcdef0123456789abcdef",
        "platform_master_key: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        " + "3" * 64,
    )
    (tmp_path / "hosts.yml").write_text(text)
    assert "platform_master_key" in (found := said("-i", str(tmp_path / "hosts.yml")))
    assert "--ask-vault-pass" in found
    assert "ANSIBLE_VAULT_PASSWORD_FILE" in found


@pytest.mark.parametrize("password", [None, "another"])
@pytest.mark.parametrize("playbook", ["site", "images", "report", "uninstall"])
def test_a_file_that_the_vault_s_password_does_not_open_is_named(
    tmp_path: Path, playbook: str, password: str | None
) -> None:
    written(tmp_path, GOOD)
    secret = encrypted(tmp_path, "vault_platform_master_key: one")
    options = []
    if password:
        (tmp_path / "password").write_text(password)
        options = ["--vault-password-file", str(tmp_path / "password")]
    text = said("-i", str(tmp_path / "hosts.yml"), *options, playbook=playbook)
    assert (
        f"{secret}: it is encrypted, and the vault's password is missing or wrong; give it with --ask-vault-pass"
        in text
    )
    assert "PLAY [" not in text


def test_a_file_that_the_vault_s_password_opens_is_read(tmp_path: Path) -> None:
    inventory = copy.deepcopy(GOOD)
    inventory["prod"]["vars"]["platform_master_key"] = "{{ vault_platform_master_key }}"
    path = written(tmp_path, inventory)
    encrypted(tmp_path, "vault_platform_master_key: short")
    (tmp_path / "password").write_text("right")
    assert "platform_master_key: it has 5 characters" in said(
        "-i", path, "--vault-password-file", f"{tmp_path}/password"
    )


@pytest.mark.parametrize("playbook", ["images", "site", "storage", "platform", "uninstall", "model"])
def test_every_playbook_that_changes_something_looks_at_the_inventory_first(tmp_path: Path, playbook: str) -> None:
    inventory = copy.deepcopy(GOOD)
    cluster(inventory)["mlops_nfs_foldr"] = "elsewhere"
    text = said("-i", written(tmp_path, inventory), "--tags", "redis", playbook=playbook)
    assert "mlops_nfs_foldr: the collection has no such variable; did you mean mlops_nfs_folder?" in text
    assert text.count("TASK [") == 1


def test_a_run_of_several_playbooks_looks_at_the_inventory_once(tmp_path: Path) -> None:
    inventory = copy.deepcopy(GOOD)
    twin(inventory, cluster_server=OTHER)
    status, text = run("site", "-i", written(tmp_path, inventory), "--tags", "nothing")
    assert status == 0, text
    assert text.count("PLAY [Look at the inventory]") == 3
    assert text.count("TASK [Refuse an inventory that cannot be right]") == 1
