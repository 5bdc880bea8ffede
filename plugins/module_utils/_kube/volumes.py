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
from .resources import KNOWN

VOLUME = KNOWN["v1", "PersistentVolume"]
# Released: its claim was removed. Failed: its removal was tried. Neither can be claimed again.
UNCLAIMED = ("Released", "Failed")


def removable(volumes: t.Iterable[Object], classes: t.Collection[str]) -> list[Object]:
    """The unclaimed volumes of these StorageClasses whose removal leaves the data where they are, in name order."""
    found = [
        volume
        for volume in volumes
        if volume["spec"].get("storageClassName") in classes
        and (volume.get("status") or {}).get("phase") in UNCLAIMED
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
    ]
    return sorted(found, key=lambda volume: str(volume["metadata"]["name"]))


def remove_unclaimed(client: Client, classes: t.Collection[str], check_mode: bool, timeout: float) -> list[Object]:
    """Remove them, unless it is a check, and wait until they are gone."""
    found = removable(client.get(VOLUME.path()).get("items") or [], classes)
    if found and not check_mode:
        targets = [doomed(VOLUME.path(None, item["metadata"]["name"]), typed(item)) for item in found]
        remove_all(client, targets, time.monotonic() + timeout)
    return found


def typed(item: Object) -> Object:
    """An item of a list says neither its kind nor its version."""
    return {"apiVersion": "v1", "kind": "PersistentVolume", **item}
