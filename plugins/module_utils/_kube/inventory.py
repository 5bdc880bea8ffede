# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The memory of a set: a ConfigMap that names its objects.

It is widened before the first object is applied and narrowed after the last was removed, so that a run that is killed
leaves nothing behind that the next one does not know.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from .client import Client
from .compare import applied_entry
from .errors import ApiError, KubeError
from .objects import INVENTORY_LABEL, Key, Object, SetId
from .resources import CONFIG_MAP

NAME_PREFIX = "kube-set-"


class Item(t.NamedTuple):
    """One object of a set: how to ask for it, and a hash of the fields that the set applied."""

    api_version: str
    fields: str


@dataclasses.dataclass
class Inventory:
    """The objects that a set may have on the cluster."""

    set_id: SetId
    items: dict[Key, Item] = dataclasses.field(default_factory=dict)
    state: str = "present"
    version: str | None = None  # resourceVersion of the ConfigMap; None when there is none

    @property
    def path(self) -> str:
        """Where the ConfigMap lies."""
        return CONFIG_MAP.path(self.set_id.namespace, NAME_PREFIX + self.set_id.name)

    def write(self, client: Client) -> None:
        """Store the inventory; nobody may have changed it since it was read."""
        body = encode(self)
        collection = CONFIG_MAP.path(self.set_id.namespace)
        method, path = ("PUT", self.path) if self.version else ("POST", collection)
        try:
            answer = client.request(method, path, {"fieldManager": "kube_set"}, body).body
        except ApiError as error:
            if error.status != 409:
                raise
            # When an answer is lost on the way, the second attempt meets what the first one wrote.
            answer = client.find(self.path)
            if not answer or answer.get("data") != body["data"]:
                raise KubeError(
                    f"the set {self.set_id.name} was changed by another run at the same time: "
                    "let that one end, then run again"
                ) from error
        self.version = answer["metadata"]["resourceVersion"]

    def remove(self, client: Client) -> None:
        """Delete the ConfigMap: the set is gone."""
        try:
            client.request("DELETE", self.path)
        except ApiError as error:
            if not error.not_found:
                raise
        self.version = None


def fields_hash(obj: t.Mapping[str, t.Any], manager: str) -> str:
    """A hash of the fields that the manager owns: it changes when somebody takes one away."""
    entry = applied_entry(obj, manager)
    return hash_of(entry.get("fieldsV1") if entry else None)


def hash_of(fields: t.Any) -> str:
    """The hash of a field set of managedFields."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def encode(inventory: Inventory) -> Object:
    """The inventory as a ConfigMap."""
    rows = sorted(
        [item.api_version, key.kind, key.namespace, key.name, item.fields] for key, item in inventory.items.items()
    )
    meta: Object = {
        "name": NAME_PREFIX + inventory.set_id.name,
        "namespace": inventory.set_id.namespace,
        "labels": {INVENTORY_LABEL: inventory.set_id.name},
    }
    if inventory.version:
        meta["resourceVersion"] = inventory.version
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta,
        "data": {"objects": text, "state": inventory.state},
    }


def decode(config_map: t.Mapping[str, t.Any]) -> Inventory:
    """The inventory that a ConfigMap holds."""
    meta = config_map["metadata"]
    set_id = SetId(meta["namespace"], meta["name"].removeprefix(NAME_PREFIX))
    data = config_map.get("data") or {}
    try:
        rows = [tuple(map(str, row)) for row in json.loads(data["objects"])]
        items = {
            Key(api_version.rpartition("/")[0], kind, namespace, name): Item(api_version, fields)
            for api_version, kind, namespace, name, fields in rows
        }
    except (KeyError, TypeError, ValueError) as error:
        raise KubeError(
            f"the inventory ConfigMap {meta['namespace']}/{meta['name']} cannot be read: restore it from a backup, "
            "or delete it and remove objects that left the set by hand"
        ) from error
    return Inventory(set_id, items, data.get("state", "present"), meta.get("resourceVersion"))


def read(client: Client, set_id: SetId) -> Inventory:
    """The inventory of a set; empty when it has none."""
    empty = Inventory(set_id)
    found = client.find(empty.path)
    return decode(found) if found else empty
