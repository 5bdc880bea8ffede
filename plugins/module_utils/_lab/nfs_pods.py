# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Which pods have NFS mounts that ended with the daemon that served them."""

from __future__ import annotations

import typing as t
from datetime import datetime

Object = t.Mapping[str, t.Any]
Name = tuple[str, str]


def claims_of(driver: str, volumes: t.Iterable[Object]) -> set[Name]:
    """Namespace and name of the claims that are bound to volumes of a CSI driver."""
    specs = [volume["spec"] for volume in volumes]
    bound = [spec["claimRef"] for spec in specs if spec.get("csi", {}).get("driver") == driver and "claimRef" in spec]
    return {(ref["namespace"], ref["name"]) for ref in bound}


def uses(pod: Object, driver: str, claims: t.Container[Name]) -> bool:
    """Whether a pod mounts one of the claims, or a volume of the driver without a claim."""
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or []:
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if volume.get("csi", {}).get("driver") == driver or (claim and (namespace, claim) in claims):
            return True
    return False


def started_before(pod: Object, moment: float) -> bool:
    """Whether the kubelet took the pod up before a moment, in seconds since the epoch."""
    started = pod.get("status", {}).get("startTime")
    return started is not None and datetime.fromisoformat(started).timestamp() < moment


def stale(pods: t.Iterable[Object], volumes: t.Iterable[Object], driver: str, since: float) -> list[Name]:
    """Namespace and name of the pods that run on mounts from before ``since``."""
    claims = claims_of(driver, volumes)
    found = [pod for pod in pods if uses(pod, driver, claims) and started_before(pod, since) and not _ended(pod)]
    return sorted((pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in found)


def _ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
