# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which csi-driver-nfs is found, and what the platform says to it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import driver

OWN = "mlops-storage.csi-driver-nfs"
REGISTERED = [{"metadata": {"name": "smb.csi.k8s.io"}}, {"metadata": {"name": "nfs.csi.k8s.io"}}]


def daemon_set(image: str, labels: dict[str, str] | None = None, folder: str = "/var/lib/kubelet") -> dict[str, t.Any]:
    containers = [
        {"name": "registrar", "image": "r.example.com/csi-node-driver-registrar:v2.17.0", "args": ["--v=2"]},
        {"name": "nfs", "image": image, "args": ["-v=5", "--nodeid=$(NODE_ID)"]},
    ]
    volumes = [{"name": "c", "emptyDir": {}}, {"name": "s", "hostPath": {"path": f"{folder}/plugins/csi-nfsplugin/"}}]
    spec = {"template": {"spec": {"containers": containers, "volumes": volumes}}}
    return {"metadata": {"namespace": "kube-system", "name": "csi-nfs-node", "labels": labels}, "spec": spec}


def found(image: str, labels: dict[str, str] | None = None) -> driver.Driver | None:
    other = {"metadata": {"namespace": "x", "name": "y"}, "spec": {"template": {"spec": {"containers": []}}}}
    return driver.find("nfs.csi.k8s.io", REGISTERED, [other, daemon_set(image, labels)])


@pytest.mark.parametrize(
    ("image", "labels", "version"),
    [
        ("registry.k8s.io/sig-storage/nfsplugin:v4.13.4", None, (4, 13, 4)),
        ("r.example.com:5000/nfsplugin:4.9.0-custom", None, (4, 9, 0)),
        ("r.example.com/nfsplugin@sha256:abc", {"app.kubernetes.io/version": "4.13.2"}, (4, 13, 2)),
        ("r.example.com/nfsplugin:latest", {}, None),
        ("r.example.com:5000/nfsplugin", None, None),
    ],
)
def test_the_version(image: str, labels: dict[str, str] | None, version: tuple[int, int, int] | None) -> None:
    one = found(image, labels)
    assert one is not None
    assert (one.namespace, one.workload, one.version) == ("kube-system", "csi-nfs-node", version)


def test_nothing_is_found_where_nothing_is() -> None:
    assert driver.find("nfs.csi.k8s.io", REGISTERED[:1], []) is None


def test_a_registration_without_pods_counts() -> None:
    one = driver.find("nfs.csi.k8s.io", REGISTERED, [])
    assert one is not None
    assert "CSIDriver only" in driver.problem(one, OWN, manage=True, accept_unknown=False)


@pytest.mark.parametrize(
    ("image", "labels", "manage", "accept", "message"),
    [
        (None, None, True, False, ""),
        (None, None, False, False, "the cluster has no csi-driver-nfs"),
        ("a/nfsplugin:v4.13.4", {driver.SET_LABEL: OWN}, True, False, ""),
        ("a/nfsplugin:v4.13.4", {driver.SET_LABEL: OWN}, False, False, ""),
        ("a/nfsplugin:v4.13.4", None, True, False, "already has csi-driver-nfs 4.13.4 (kube-system/csi-nfs-node"),
        (
            "a/nfsplugin:v4.13.0",
            None,
            True,
            False,
            "CVE-2026-3864 (path traversal by subDir); remove it, or update it to",
        ),
        ("a/nfsplugin:v4.13.4", None, False, False, ""),
        ("a/nfsplugin:v4.13.1", None, False, False, ""),
        ("a/nfsplugin:v4.13.0", None, False, False, "CVE-2026-3864"),
        ("a/nfsplugin:v4.13.0", None, False, True, "CVE-2026-3864"),
        ("a/nfsplugin:v3.99.99", None, False, False, "update it to 4.13.1 or newer"),
        ("a/nfsplugin:latest", None, False, False, "csi_driver_nfs_accept_unknown_version"),
        ("a/nfsplugin:latest", None, False, True, ""),
    ],
)
def test_what_the_platform_says(
    image: str | None, labels: dict[str, str] | None, manage: bool, accept: bool, message: str
) -> None:
    one = found(image, labels) if image else None
    said = driver.problem(one, OWN, manage, accept)
    assert said == "" if not message else message in said
    assert "to use it" not in said or image == "a/nfsplugin:v4.13.4"
    assert not said or said.startswith("csi_driver_nfs_manage: ")
