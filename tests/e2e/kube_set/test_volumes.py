"""kube_unclaimed_volumes on a real cluster: volumes that lost their claim a moment ago go, the others stay."""

from __future__ import annotations

import secrets
import typing as t

import pytest
from e2e.kube_set.support import Object, Space

from ansible_collections.mlops.platform.plugins.module_utils._kube.remove import doomed, remove_all
from ansible_collections.mlops.platform.plugins.module_utils._kube.volumes import VOLUME, remove_unclaimed

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# So many that the cluster cannot have marked them all before the list is read.
MANY = 30


@pytest.fixture
def storage_class(space: Space) -> Iterator[str]:
    """A name that only the volumes of the test have."""
    name = f"e2e-{secrets.token_hex(4)}"
    yield name
    space.clean()
    left = [item for item in space.client.get(VOLUME.path())["items"] if item["spec"].get("storageClassName") == name]
    kinds = {"apiVersion": "v1", "kind": "PersistentVolume"}
    targets = [doomed(VOLUME.path(None, item["metadata"]["name"]), {**kinds, **item}) for item in left]
    remove_all(space.client, targets, space.deadline())


def volume(space: Space, storage_class: str, name: str, claim: Object) -> None:
    """Make a volume for a claim."""
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": space.name, **claim}
    spec = {
        "storageClassName": storage_class,
        "persistentVolumeReclaimPolicy": "Retain",
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/nowhere"},
        "claimRef": reference,
    }
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
    space.client.request("POST", VOLUME.path(), None, body)


def claimed(space: Space, storage_class: str, name: str) -> None:
    """Make a set that is a claim, and a volume that is bound to it."""
    volume(space, storage_class, f"{storage_class}-{name}", {"name": name})
    spec = {
        "storageClassName": storage_class,
        "volumeName": f"{storage_class}-{name}",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
    }
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
    space.present(body, name=name, wait=True)


def names(volumes: t.Iterable[Object]) -> list[str]:
    return [item["metadata"]["name"] for item in volumes]


def test_a_volume_whose_claim_went_a_moment_ago_goes_and_one_in_use_stays(space: Space, storage_class: str) -> None:
    claimed(space, storage_class, "kept")
    claimed(space, storage_class, "gone")
    both = [f"{storage_class}-gone", f"{storage_class}-kept"]
    assert remove_unclaimed(space.client, [storage_class], check_mode=True, timeout=60) == []
    foretold = remove_unclaimed(space.client, [storage_class], check_mode=True, timeout=60, claims_go=True)
    assert names(foretold) == both
    assert remove_unclaimed(space.client, [storage_class], check_mode=False, timeout=60, claims_go=True) == []
    space.absent(name="gone", remove_claims=True)
    found = remove_unclaimed(space.client, [storage_class], check_mode=False, timeout=60)
    assert names(found) == [f"{storage_class}-gone"]
    assert space.client.find(VOLUME.path(None, f"{storage_class}-gone")) is None
    kept = space.client.get(VOLUME.path(None, f"{storage_class}-kept"))
    assert kept["status"]["phase"] == "Bound"
    assert "deletionTimestamp" not in kept["metadata"]


def test_none_is_left_because_the_cluster_had_not_marked_it_yet(space: Space, storage_class: str) -> None:
    wanted = [f"{storage_class}-{number:02}" for number in range(MANY)]
    lost = {"name": "lost", "uid": "00000000-0000-0000-0000-000000000000"}
    space.client.each(lambda name: volume(space, storage_class, name, lost), wanted)
    assert names(remove_unclaimed(space.client, [storage_class], check_mode=True, timeout=60)) == wanted
    assert names(remove_unclaimed(space.client, [storage_class], check_mode=False, timeout=60)) == wanted
    assert remove_unclaimed(space.client, [storage_class], check_mode=False, timeout=60) == []
