# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Claims: when one is ready, and whether it outlives what uses it."""

from __future__ import annotations

from .client import Client
from .errors import ApiError
from .objects import Object
from .ready import unready
from .resources import KNOWN

STORAGE_CLASS = KNOWN["storage.k8s.io/v1", "StorageClass"]


def why_unready(client: Client, obj: Object) -> str:
    """Why an object is not ready; the StorageClass of a claim has a say in it."""
    reason = unready(obj)
    return "" if reason and waits_for_pod(client, obj) else reason


def waits_for_pod(client: Client, obj: Object) -> bool:
    """Whether an object is a claim that is bound only when a pod uses it."""
    name = (obj.get("spec") or {}).get("storageClassName")
    if (obj["apiVersion"], obj["kind"]) != ("v1", "PersistentVolumeClaim") or not name:
        return False
    if (obj.get("status") or {}).get("phase", "Pending") != "Pending" or obj["metadata"].get("deletionTimestamp"):
        return False
    try:
        found = client.find(STORAGE_CLASS.path(None, name))
    except ApiError:
        return False
    return bool(found) and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def lasts(claim: Object) -> bool:
    """Whether a claim is neither on its way out nor a pod's own, with which it goes."""
    meta = claim["metadata"]
    ephemeral = any(owner["kind"] == "Pod" for owner in meta.get("ownerReferences") or [])
    return not ephemeral and not meta.get("deletionTimestamp")
