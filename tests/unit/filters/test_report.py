# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of playbooks/report.yml, and what it is made of."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from rendering import ROLES, ROOT

from ansible_collections.mlops.platform.plugins.filter import report
from ansible_collections.mlops.platform.plugins.module_utils._kube.report import addresses, images, summary

LAYOUT = {
    "minio": {"storage_class": "mlops-minio", "path": "/b/minio"},
    "mlflow": {"service": "mlflow"},
    "ray": {"storage_class": "mlops-ray", "path": "/b/ray"},
}
HASH = "0123456789abcdef"
BUILT = {"minio": {"tag": HASH, "version": "2026-02-12"}, "exporter": {"tag": HASH, "version": ""}}
MINIO = {
    "component": "minio",
    "ready": True,
    "drift": False,
    "troubles": [],
    "images": ["registry.example.org/mlops/minio:1", "registry.example.org/mlops/other:2"],
    "addresses": ["minio.mlops:9000"],
    "claims": [{"name": "minio-data", "size": "100Gi", "storage_class": "mlops-minio"}],
}
STORAGE = {**MINIO, "component": "storage", "images": [], "addresses": [], "claims": []}


def made(
    *rows: t.Any,
    error: str = "",
    sizes: tuple[str, ...] = ("1572864\t/b/minio",),
    expected: tuple[str, ...] = ("minio", "storage"),
) -> t.Any:
    found = {"version": "v1.36.3", "error": error, "components": list(rows)}
    return report.platform_report(found, "prod01", "prod", LAYOUT, sizes, expected, BUILT)


def test_a_cluster_that_is_well() -> None:
    one = made(MINIO, STORAGE)
    assert (one["ready"], one["drift"], one["components"][0]["bytes_used"]) == (True, False, 1572864)
    assert report.report_lines([one]) == [
        "prod01 (prod), Kubernetes v1.36.3: ready, 1.5 MiB on the storage server",
        "  component  ready  drift  version     used     of     address",
        "  minio      yes    no     minio:1 +1  1.5 MiB  100Gi  minio.mlops:9000",
        "",
    ]


@pytest.mark.parametrize(
    ("images", "version", "shown"),
    [
        ([f"r/exporter:{HASH}", f"r/minio:{HASH}"], "2026-02-12", "2026-02-12 (0123456) +1"),
        ([f"r:5000/minio:{HASH}@sha256:00"], "2026-02-12", "2026-02-12 (0123456)"),
        (["r/minio:fedcba9876543210"], "", "minio:fedcba9876543210"),
        (["registry.k8s.io/csi-provisioner:v6.1.0"], "v6.1.0", "csi-provisioner:v6.1.0"),
        (["quay.io/minio"], "", "minio"),
        ([], "", "-"),
    ],
)
def test_the_version_is_that_of_the_program_and_only_where_it_is_known(
    images: list[str], version: str, shown: str
) -> None:
    (row,) = made({**MINIO, "images": images}, expected=())["components"]
    assert row["version"] == version
    assert report.version_cell(row) == shown


def test_the_version_of_the_driver_is_not_that_of_its_sidecars() -> None:
    images = ["r/csi-provisioner:v6.3.0", "r/nfsplugin:v4.13.4"]
    row = made({**STORAGE, "component": "csi-driver-nfs", "images": images}, expected=())["components"][0]
    assert (row["image"], row["version"]) == ("r/nfsplugin:v4.13.4", "v4.13.4")


def test_a_component_without_a_claim_uses_its_own_folder() -> None:
    ray = {**MINIO, "component": "ray", "claims": []}
    one = made(MINIO, ray, sizes=("1572864\t/b/minio", "4096\t/b/ray", "1024\t/b/backup"))
    assert [row["bytes_used"] for row in one["components"][:2]] == [1572864, 4096]
    assert one["bytes_used"] == 1572864 + 4096 + 1024


def test_what_is_not_well_is_said_in_words() -> None:
    lost = {**STORAGE, "ready": False, "drift": True, "troubles": ["StorageClass mlops-minio: it does not exist"]}
    lines = report.report_lines([made({**MINIO, "ready": False}, lost, sizes=())])
    assert lines[0] == "prod01 (prod), Kubernetes v1.36.3: NOT READY, with drift"
    assert lines[2].split() == ["minio", "no", "no", "minio:1", "+1", "-", "100Gi", "minio.mlops:9000"]
    assert lines[-2] == "  storage: StorageClass mlops-minio: it does not exist"


def test_a_cluster_that_cannot_be_read_and_one_without_the_platform() -> None:
    away = made(error="https://prod01.example.org:6443 cannot be reached")
    assert not away["ready"]
    assert away["components"] == [], "what cannot be read is not said to be missing"
    assert report.report_lines([{**away, "kubernetes": ""}])[:2] == [
        "prod01 (prod), Kubernetes unknown: cannot be read",
        "  https://prod01.example.org:6443 cannot be reached",
    ]
    assert not made()["ready"]
    assert report.report_lines([made()])[0].endswith("the platform is not installed")


def test_a_component_that_was_never_installed_has_a_row() -> None:
    one = made(MINIO, STORAGE, expected=("storage", "minio", "redis"))
    assert not one["ready"]
    assert [(row["component"], row["installed"]) for row in one["components"]][-1] == ("redis", False)
    lines = report.report_lines([one])
    assert lines[0] == "prod01 (prod), Kubernetes v1.36.3: NOT READY, 1.5 MiB on the storage server"
    assert lines[3].split() == ["redis", "not", "installed", "no", "-", "-", "-", "-"]


def test_the_page_misses_every_component_of_the_platform() -> None:
    play = yaml.safe_load((ROOT / "playbooks/report.yml").read_text())[0]
    platform = yaml.safe_load((ROOT / "playbooks/platform.yml").read_text())[-1]
    named = [
        task["ansible.builtin.import_role"]["name"]
        for task in platform["tasks"]
        if "ansible.builtin.import_role" in task
    ]
    roles = {name.removeprefix("mlops.platform.") for name in named}
    assert set(play["vars"]["report_sets"]) == roles - {"nfs_check"}, "nfs_check leaves nothing on a cluster"
    text = "\n".join(path.read_text() for path in ROLES.glob("*/tasks/*.yml"))
    for name in play["vars"]["report_sets"].values():
        assert f"    name: {name}\n" in text


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 40, "3.0 TiB")])
def test_sizes(number: int, text: str) -> None:
    assert report.readable(number) == text


def service(**spec: t.Any) -> dict[str, t.Any]:
    return {"kind": "Service", "metadata": {"name": "mlflow", "namespace": "mlops"}, "spec": spec, "status": {}}


@pytest.mark.parametrize(
    ("obj", "found"),
    [
        (service(ports=[{"port": 5000}]), ["mlflow.mlops:5000"]),
        (service(clusterIP="None", ports=[{"port": 5000}]), []),
        (service(ports=[{"port": 5000, "nodePort": 30500}]), ["mlflow.mlops:5000", "any node:30500"]),
        (
            {**service(ports=[{"port": 80}]), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}},
            ["mlflow.mlops:80", "192.0.2.7:80"],
        ),
        (
            {
                "kind": "Ingress",
                "spec": {"tls": [{"hosts": ["a.org"]}], "rules": [{"host": "a.org"}, {"host": "b.org"}]},
            },
            ["https://a.org", "http://b.org"],
        ),
    ],
)
def test_addresses(obj: dict[str, t.Any], found: list[str]) -> None:
    assert addresses(obj) == found


def test_images_are_found_where_each_kind_has_them() -> None:
    pod = {"containers": [{"name": "a", "image": "one"}], "initContainers": [{"name": "b", "image": "two"}]}
    ray = {"spec": {"rayClusterConfig": {"workerGroupSpecs": [{"template": {"spec": pod}}]}}, "status": {"image": "no"}}
    assert images(ray) == ["one", "two"]


def test_the_summary_of_a_set() -> None:
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "minio-data"},
        "spec": {"storageClassName": "mlops-minio"},
        "status": {"capacity": {"storage": "100Gi"}},
    }
    rows = [{"kind": "Pod", "name": "x", "reason": "", "drift": ["kubectl changed it"]}]
    one = {"name": "minio", "namespace": "mlops", "ready": True, "drift": True, "objects": rows}
    found = summary(one, [claim])
    assert found["claims"] == MINIO["claims"]
    assert found["troubles"] == ["Pod x: kubectl changed it"]
