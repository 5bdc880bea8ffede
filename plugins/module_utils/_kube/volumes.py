# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""PersistentVolumes that nobody claims any more."""

from __future__ import annotations

import time
import typing as t

from .client import Client
from .objects import Object
from .remove import doomed, remove_all
from .resources import CLAIM, KNOWN

VOLUME = KNOWN["v1", "PersistentVolume"]
# Released: its claim was removed. Failed: its removal was tried. Neither can be claimed again.
UNCLAIMED = ("Released", "Failed")


def retained(volumes: t.Iterable[Object], classes: t.Collection[str]) -> list[Object]:
    """The volumes of these StorageClasses whose removal leaves the data where they are, in name order."""
    found = [
        volume
        for volume in volumes
        if volume["spec"].get("storageClassName") in classes
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
    ]
    return sorted(found, key=lambda volume: str(volume["metadata"]["name"]))


def is_unclaimed(volume: Object, find_claim: t.Callable[[str, str], Object | None]) -> bool:
    """Whether nobody can use the volume any more; find_claim gives the claim of a namespace and a name.

    The cluster says Released some time after the claim is gone. Until then the claim itself has to be asked for.
    """
    phase = (volume.get("status") or {}).get("phase")
    if phase in UNCLAIMED:
        return True
    reference = volume["spec"].get("claimRef") or {}
    # Without a uid the volume waits for a claim that has yet to come.
    if not reference.get("uid") or phase == "Available":
        return False
    claim = find_claim(reference["namespace"], reference["name"])
    return claim is None or claim["metadata"]["uid"] != reference["uid"]


def remove_unclaimed(
    client: Client, classes: t.Collection[str], check_mode: bool, timeout: float, claims_go: bool = False
) -> list[Object]:
    """Remove them, unless it is a check, and wait until they are gone; KubeError names the one that stays.

    A deleted volume that is still Bound goes as soon as the cluster has noticed that its claim is gone. With
    ``claims_go`` a check takes all claims for gone.
    """

    def find_claim(namespace: str, name: str) -> Object | None:
        if check_mode and claims_go:
            return None
        return t.cast("Object | None", client.find(CLAIM.path(namespace, name)))

    volumes = retained(client.get(VOLUME.path()).get("items") or [], classes)
    found = [volume for volume in volumes if is_unclaimed(volume, find_claim)]
    if found and not check_mode:
        targets = [doomed(VOLUME.path(None, item["metadata"]["name"]), typed(item)) for item in found]
        remove_all(client, targets, time.monotonic() + timeout)
    return found


def typed(item: Object) -> Object:
    """An item of a list says neither its kind nor its version."""
    return {"apiVersion": "v1", "kind": "PersistentVolume", **item}
