"""Claims: ready for a run as for the report about it; and which of them outlive what uses them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube import options
from ansible_collections.mlops.platform.plugins.module_utils._kube.claims import lasts
from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.engine import Engine
from ansible_collections.mlops.platform.plugins.module_utils._kube.info import describe, inventories, unhealthy
from ansible_collections.mlops.platform.plugins.module_utils._kube.mask import Mask
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import Resources
from ansible_collections.mlops.platform.plugins.module_utils._kube.wait import NotReadyError

from .fake_api import Server

Object = dict[str, t.Any]
CLAIM: Object = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"storageClassName": "late"},
    "status": {"phase": "Pending"},
}
PATH = "/api/v1/namespaces/ns/persistentvolumeclaims/data"


def applied(client: Client) -> None:
    chosen = options.Options(set_id=options.set_id("ns", "demo"), wait_timeout=1)
    Engine(client, chosen, Mask(), lambda text: None).present([Document(dict(CLAIM), "test")])


def pending(server: Server, mode: str, **meta: t.Any) -> None:
    """A claim of the set that is not bound, and its StorageClass."""
    server.store.objects["/apis/storage.k8s.io/v1/storageclasses/late"] = {"volumeBindingMode": mode}
    if PATH in server.store.objects:
        server.store.objects[PATH]["status"] = {"phase": "Pending"}
        server.store.objects[PATH]["metadata"].update(meta)


def faults(client: Client) -> list[str]:
    return unhealthy([describe(client, Resources(client), one) for one in inventories(client, "ns", "demo")])


def test_a_claim_that_waits_for_a_pod_is_ready_for_both(server: Server, client: Client) -> None:
    pending(server, "WaitForFirstConsumer")
    applied(client)
    pending(server, "WaitForFirstConsumer")
    applied(client)
    assert faults(client) == []


def test_a_claim_that_waits_for_a_volume_is_ready_for_neither(server: Server, client: Client) -> None:
    pending(server, "Immediate")
    with pytest.raises(NotReadyError, match="phase Pending"):
        applied(client)
    pending(server, "Immediate")
    assert faults(client) == ["ns/demo: PersistentVolumeClaim data: phase Pending"]


def test_a_claim_that_is_being_deleted_waits_for_no_pod(server: Server, client: Client) -> None:
    pending(server, "WaitForFirstConsumer")
    applied(client)
    pending(server, "WaitForFirstConsumer", deletionTimestamp="2026-01-01T00:00:00Z")
    assert faults(client) == ["ns/demo: PersistentVolumeClaim data: it is being deleted"]


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({}, True),
        ({"ownerReferences": [{"kind": "StatefulSet", "name": "x"}]}, True),
        ({"ownerReferences": [{"kind": "Pod", "name": "x", "controller": True}]}, False),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_which_claims_keep_a_namespace(meta: Object, expected: bool) -> None:
    assert lasts({"metadata": meta}) is expected
