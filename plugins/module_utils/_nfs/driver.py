# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""The csi-driver-nfs that a cluster has, and whether the platform can live with it. Pure."""

from __future__ import annotations

import re
import typing as t

OLDEST = (4, 13, 1)
CVE = "CVE-2026-3864"
_OPEN = f"which is open to {CVE} (path traversal by subDir)"
_UPDATE = "update it to " + ".".join(map(str, OLDEST)) + " or newer"
SET_LABEL = "mlops.platform/set"
VERSION_LABEL = "app.kubernetes.io/version"
Object = t.Mapping[str, t.Any]


class Driver(t.NamedTuple):
    """What was found; a version of None could not be told."""

    namespace: str
    workload: str
    image: str
    version: tuple[int, int, int] | None
    set_name: str


def find(name: str, csi_drivers: t.Iterable[Object], daemon_sets: t.Iterable[Object]) -> Driver | None:
    """The driver of this name, with the DaemonSet that runs it."""
    registered = next((one for one in csi_drivers if one["metadata"]["name"] == name), None)
    for one in daemon_sets:
        image = _plugin_image(one)
        if image is not None:
            meta = one["metadata"]
            labels = meta.get("labels") or {}
            version = _version(image.rpartition("/")[2]) or _version(labels.get(VERSION_LABEL, ""))
            return Driver(meta["namespace"], meta["name"], image, version, labels.get(SET_LABEL, ""))
    if registered is None:
        return None
    return Driver("", "", "", None, (registered["metadata"].get("labels") or {}).get(SET_LABEL, ""))


def _plugin_image(daemon_set: Object) -> str | None:
    spec = daemon_set["spec"]["template"]["spec"]
    folders = [(volume.get("hostPath") or {}).get("path", "") for volume in spec.get("volumes") or []]
    if not any(path.rstrip("/").endswith("plugins/csi-nfsplugin") for path in folders):
        return None
    arguments = {c["name"]: [*(c.get("command") or []), *(c.get("args") or [])] for c in spec["containers"]}
    plugin = next((c for c in spec["containers"] if any("--nodeid" in word for word in arguments[c["name"]])), None)
    return plugin["image"] if plugin else None


def _version(text: str) -> tuple[int, int, int] | None:
    match = re.search(r"(?:^|:)v?(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def problem(found: Driver | None, own_set: str, manage: bool, accept_unknown: bool) -> str:
    """Why the role cannot go on, with the remedy; empty when it can."""
    if manage:
        return "" if found is None or found.set_name == own_set else _foreign(found)
    if found is None:
        return (
            "csi_driver_nfs_manage: it is false, but the cluster has no csi-driver-nfs; install one or set it to true"
        )
    if found.version is None:
        return "" if accept_unknown else _unknown(found)
    if found.version < OLDEST:
        return f"csi_driver_nfs_manage: the cluster has {_described(found)}, {_OPEN}; {_UPDATE}"
    return ""


def _foreign(found: Driver) -> str:
    what = f"csi_driver_nfs_manage: the cluster already has {_described(found)}, which this role did not install"
    if found.version is not None and found.version < OLDEST:
        return f"{what} and {_OPEN}; remove it, or {_UPDATE} and set csi_driver_nfs_manage to false"
    return f"{what}; set csi_driver_nfs_manage to false to use it, or remove it first"


def _unknown(found: Driver) -> str:
    return (
        f"csi_driver_nfs_manage: the version of {_described(found)} cannot be told; if it is {text(OLDEST)} or newer "
        f"({CVE}), set csi_driver_nfs_accept_unknown_version to true"
    )


def _described(found: Driver) -> str:
    version = f" {text(found.version)}" if found.version else ""
    where = f" ({found.namespace}/{found.workload}, image {found.image})" if found.workload else " (CSIDriver only)"
    return f"csi-driver-nfs{version}{where}"


def text(version: tuple[int, int, int]) -> str:
    """A version as people write it."""
    return ".".join(str(part) for part in version)
