"""Pods whose NFS mounts have ended."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import nfs_pods

DRIVER = "nfs.csi.k8s.io"
DAEMON = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()
BEFORE, AFTER = "2030-01-01T11:59:59Z", "2030-01-01T12:00:01Z"
VOLUMES = [
    {"spec": {"csi": {"driver": DRIVER}, "claimRef": {"namespace": "a", "name": "data"}}},
    {"spec": {"csi": {"driver": "other"}, "claimRef": {"namespace": "a", "name": "other"}}},
    {"spec": {"hostPath": {}, "claimRef": {"namespace": "a", "name": "host"}}},
    {"spec": {"csi": {"driver": DRIVER}}},
]


def pod(volume: dict[str, t.Any], started: str | None = BEFORE, phase: str = "Running", namespace: str = "a") -> dict:
    status = {"phase": phase, **({"startTime": started} if started else {})}
    return {"metadata": {"namespace": namespace, "name": "p"}, "spec": {"volumes": [volume]}, "status": status}


def claim(name: str) -> dict[str, t.Any]:
    return {"name": "v", "persistentVolumeClaim": {"claimName": name}}


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (pod(claim("data")), True),
        (pod({"name": "v", "csi": {"driver": DRIVER}}), True),
        (pod(claim("data"), AFTER), False),
        (pod(claim("data"), None), False),
        (pod(claim("data"), phase="Succeeded"), False),
        (pod(claim("data"), namespace="b"), False),
        (pod(claim("other")), False),
        (pod(claim("host")), False),
        (pod({"name": "v", "emptyDir": {}}), False),
    ],
)
def test_a_pod_is_renewed_when_it_mounted_before_the_daemon_was_started(one: dict, found: bool) -> None:
    assert nfs_pods.stale([one], VOLUMES, DRIVER, DAEMON) == ([(one["metadata"]["namespace"], "p")] if found else [])


def test_pods_without_volumes_are_left_alone() -> None:
    one = pod(claim("data"))
    del one["spec"]["volumes"]
    assert nfs_pods.stale([one], VOLUMES, DRIVER, DAEMON) == []
