# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The sets of a cluster, from their inventories alone."""

from __future__ import annotations

import functools
import typing as t

from .claims import why_unready
from .client import Client
from .compare import applied_entry
from .errors import UnknownKindError
from .inventory import NAME_PREFIX, Inventory, decode, fields_hash, hash_of
from .objects import INVENTORY_LABEL, Key, Object, SetId
from .observe import listings, observe
from .ownership import Contest, is_controllers
from .ready import FAILED
from .resources import CONFIG_MAP, Resources


def inventories(client: Client, namespace: str | None, name: str | None) -> list[Inventory]:
    """The inventories of a cluster, of a namespace, or of one set."""
    if namespace and name:
        found = client.find(CONFIG_MAP.path(namespace, NAME_PREFIX + name))
        return [decode(found)] if found else []
    label = f"{INVENTORY_LABEL}={name}" if name else INVENTORY_LABEL
    return [
        decode(item) for item in client.get(CONFIG_MAP.path(namespace), {"labelSelector": label}).get("items") or []
    ]


def outline(stored: Inventory) -> dict[str, t.Any]:
    """One set without its objects."""
    return {"name": stored.set_id.name, "namespace": stored.set_id.namespace, "state": stored.state}


def describe(client: Client, resources: Resources, stored: Inventory) -> dict[str, t.Any]:
    """One set: its objects, whether they are ready, and what drifted."""
    live = observe(client, listings({}, stored, resources), stored.set_id)
    missing = [key for key in stored.items if key not in live]
    found = client.each(lambda key: by_name(client, resources, key, stored.items[key].api_version), missing)
    live.update({key: obj for key, obj in zip(missing, found) if obj})
    reasons = {key: why_unready(client, obj) for key, obj in live.items()}
    objects = [row(key, stored, live.get(key), reasons.get(key, "it does not exist")) for key in sorted(stored.items)]
    present = stored.state == "present"
    return {
        **outline(stored),
        "ready": not present or all(item["ready"] for item in objects),
        "drift": present and any(item["drift"] for item in objects),
        "objects": objects,
    }


def by_name(client: Client, resources: Resources, key: Key, api_version: str) -> Object | None:
    """One object without the set's label, or None."""
    try:
        path = resources.find(api_version, key.kind).path(key.namespace, key.name)
    except UnknownKindError:
        return None
    return t.cast("Object | None", client.find(path))


def row(key: Key, stored: Inventory, live: Object | None, reason: str) -> dict[str, t.Any]:
    """One object of a set, and why it is not ready."""
    item = stored.items[key]
    return {
        "api_version": item.api_version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "exists": live is not None,
        "ready": not reason,
        "reason": reason.removeprefix(FAILED),
        "drift": drift(live, stored.set_id, item.fields) if live else ["it was removed"],
    }


def drift(live: Object, set_id: SetId, remembered: str) -> list[str]:
    """Who took fields of the set, as far as the server remembers. What controllers took is theirs, and no drift."""
    if not remembered or fields_hash(live, set_id.manager) == remembered:
        return []
    entries = (live.get("metadata") or {}).get("managedFields") or []
    mine = {"manager": set_id.manager, "operation": "Apply"}
    others = [
        entry
        for entry in entries
        if any(entry.get(name) != value for name, value in mine.items()) and entry.get("subresource") != "status"
    ]
    if remembered in hashes_with(applied_entry(live, set_id.manager) or {}, list(filter(by_controller, others))):
        return []
    changed = [f"{entry['manager']} changed it at {entry.get('time', 'an unknown time')}" for entry in others]
    return changed or ["the set lost fields of it"]


def by_controller(entry: Object) -> bool:
    """Whether an entry of managedFields is that of an autoscaler or another controller."""
    manager, operation, subresource = (entry.get(name) or "" for name in ("manager", "operation", "subresource"))
    return is_controllers(Contest((), manager, operation, subresource, None, None))


def hashes_with(own: Object, others: t.Sequence[Object]) -> set[str]:
    """The hashes of the set's fields as if it had those of one or of all of the others again."""
    fields = [entry.get("fieldsV1") or {} for entry in others]
    groups = [*([one] for one in fields), fields] if fields else []
    return {hash_of(functools.reduce(united, group, own.get("fieldsV1") or {})) for group in groups}


def united(one: Object, other: Object) -> Object:
    """All fields of two field sets."""
    both = {name: united(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **both}


def unhealthy(sets: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """What is wrong with the sets, one sentence for each object."""
    return [
        f"{found['namespace']}/{found['name']}: {item['kind']} {item['name']}: "
        + "; ".join(filter(None, [item["reason"], *item["drift"]]))
        for found in sets
        if found["state"] == "present"
        for item in found["objects"]
        if item["reason"] or item["drift"]
    ]
