# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What an operator wants to know of a set, from its objects: versions, addresses, the size of its claims."""

from __future__ import annotations

import typing as t

from .client import Client
from .resources import Resources

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "RayService")
SHOWN = (*WORKLOADS, "Service", "Ingress", "PersistentVolumeClaim")
Row = dict[str, t.Any]
Object = t.Mapping[str, t.Any]


def add_details(client: Client, sets: list[Row]) -> list[Row]:
    """The sets with the rows that ``summary`` makes; one request for each object that matters."""
    resources = Resources(client)
    wanted = [
        (number, item)
        for number, one in enumerate(sets)
        for item in one["objects"]
        if item["kind"] in SHOWN and item["exists"]
    ]
    found = client.each(lambda pair: live(client, resources, pair[1]), wanted)
    return [
        summary(one, [obj for (owner, _item), obj in zip(wanted, found) if owner == number and obj])
        for number, one in enumerate(sets)
    ]


def live(client: Client, resources: Resources, item: Row) -> Object | None:
    """One object as it is; None when it went away in between."""
    path = resources.find(item["api_version"], item["kind"]).path(item["namespace"], item["name"])
    return t.cast("Object | None", client.find(path))


def summary(one: Row, objects: t.Sequence[Object]) -> Row:
    """One set as a row of the report."""
    return {
        "component": one["name"],
        "namespace": one["namespace"],
        "ready": one["ready"],
        "drift": one["drift"],
        "troubles": [
            f"{item['kind']} {item['name']}: {'; '.join(filter(None, [item['reason'], *item['drift']]))}"
            for item in one["objects"]
            if item["reason"] or item["drift"]
        ],
        "images": sorted({image for obj in objects if obj["kind"] in WORKLOADS for image in images(obj)}),
        "addresses": [text for obj in objects for text in addresses(obj)],
        "claims": [claim(obj) for obj in objects if obj["kind"] == "PersistentVolumeClaim"],
    }


def images(value: t.Any) -> list[str]:
    """The images of all containers in a workload's spec, wherever the kind has them."""
    if isinstance(value, list):
        return [image for item in value for image in images(item)]
    if not isinstance(value, dict):
        return []
    own = [value["image"]] if isinstance(value.get("image"), str) and "name" in value else []
    return own + [image for key, item in value.items() if key != "status" for image in images(item)]


def addresses(obj: Object) -> list[str]:
    """Where a Service or an Ingress is reached."""
    spec = obj.get("spec") or {}
    if obj["kind"] == "Ingress":
        secure = {host for item in spec.get("tls") or [] for host in item.get("hosts") or []}
        hosts = [rule["host"] for rule in spec.get("rules") or [] if rule.get("host")]
        return [f"{'https' if host in secure else 'http'}://{host}" for host in hosts]
    if obj["kind"] != "Service" or spec.get("clusterIP") == "None":
        return []
    name = f"{obj['metadata']['name']}.{obj['metadata']['namespace']}"
    return [text for port in spec.get("ports") or [] for text in port_addresses(obj, name, port)]


def port_addresses(obj: Object, name: str, port: Object) -> list[str]:
    """The addresses of one port, inside and outside of the cluster."""
    balancer = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    outside = [f"{item.get('ip') or item.get('hostname')}:{port['port']}" for item in balancer]
    return [f"{name}:{port['port']}", *outside, *([f"any node:{port['nodePort']}"] if port.get("nodePort") else [])]


def claim(obj: Object) -> Row:
    """A claim with its size and its volume's class."""
    capacity = ((obj.get("status") or {}).get("capacity") or {}).get("storage", "")
    return {"name": obj["metadata"]["name"], "size": capacity, "storage_class": obj["spec"].get("storageClassName", "")}
