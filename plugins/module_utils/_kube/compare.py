# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether a live object is what the set wants, without asking the server.

The field ownership that the server keeps (managedFields) says which fields the set applied and how lists merge. An
object matches only when the set applies exactly the wanted fields and their values are equal. "No" costs one dry run
and is no harm.
"""

from __future__ import annotations

import json
import typing as t

from .objects import Object
from .quantity import FIELDS, HOLDERS
from .quantity import equal as same_quantity

Fields = dict[str, t.Any]
# The server does not track these as owned.
UNTRACKED = ("apiVersion", "kind")
UNTRACKED_META = ("name", "namespace")
# Defaults that the server writes into values which one manager owns as a whole, by name and by the name of the whole.
DEFAULTS: Fields = {
    "apiVersion": "v1",
    "protocol": "TCP",
    "scope": "*",
    "divisor": "0",
    "expirationSeconds": 3600,
    "numOfHosts": 1,  # of a group of Ray workers
}
MATCHING: Fields = {"namespaceSelector": {}, "objectSelector": {}, "matchPolicy": "Equivalent"}
DEFAULTS_OF: dict[str, Fields] = {"matchConstraints": MATCHING, "matchResources": MATCHING}


def applied_entry(obj: t.Mapping[str, t.Any], manager: str) -> dict[str, t.Any] | None:
    """What the manager applied to the object, as the server remembers it."""
    for entry in (obj.get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            found: dict[str, t.Any] = entry
            return found
    return None


def matches(wanted: Object, live: Object, manager: str) -> bool:
    """Whether the live object is what the set wants, and the set owns what it wants."""
    entry = applied_entry(live, manager)
    if entry is None or entry.get("apiVersion") != wanted["apiVersion"]:
        return False
    return equal(tracked(wanted), live, entry.get("fieldsV1") or {}, "")


def tracked(obj: Object) -> Object:
    """The fields of an object that the server tracks."""
    rest = {key: value for key, value in obj.items() if key not in UNTRACKED}
    meta = {key: value for key, value in obj["metadata"].items() if key not in UNTRACKED_META}
    rest.pop("metadata")
    return {**rest, "metadata": meta} if meta else rest


def equal(wanted: t.Any, live: t.Any, fields: Fields, key: str, holder: str = "") -> bool:
    """Whether a value is as wanted, guided by the fields that the set applied."""
    if not fields:
        return same(wanted, live, key, holder)
    if isinstance(wanted, dict) and isinstance(live, dict):
        return equal_maps(wanted, live, fields, key)
    if isinstance(wanted, list) and isinstance(live, list):
        return equal_lists(wanted, live, fields)
    return False


def equal_maps(wanted: Object, live: Object, fields: Fields, key: str) -> bool:
    """Whether a mapping is as wanted and all its fields are owned."""
    owned = {name[2:] for name in fields if name.startswith("f:")}
    if owned != wanted.keys():
        return False
    return all(
        equal(value, live[name], fields[f"f:{name}"], name, key) if name in live else is_empty(value)
        for name, value in wanted.items()
    )


def is_empty(value: t.Any) -> bool:
    """Whether the server leaves the value out of its answers, although it was applied and is owned."""
    return value in ("", 0, False) or value == {} or value == []


def equal_lists(wanted: list[t.Any], live: list[t.Any], fields: Fields) -> bool:
    """Whether a list that several managers may share holds what is wanted, in the wanted order."""
    entries = [(name[:2], json.loads(name[2:]), below) for name, below in fields.items() if name != "."]
    if len(entries) != len(wanted):
        return False
    places = []
    for form, selector, below in entries:
        mine, theirs = place(wanted, form, selector, partly=True), place(live, form, selector)
        if mine is None or theirs is None or (form == "k:" and not equal(wanted[mine], live[theirs], below, "")):
            return False
        places.append((mine, theirs))
    return [theirs for _mine, theirs in sorted(places)] == sorted(theirs for _mine, theirs in places)


def place(items: list[t.Any], form: str, selector: t.Any, partly: bool = False) -> int | None:
    """Where a list has the item that a field set names by its value (v:) or its keys (k:)."""
    if form == "v:":
        return items.index(selector) if selector in items else None
    found = pick(items, selector, partly) if form == "k:" else None
    return next((number for number, item in enumerate(items) if item is found), None) if found is not None else None


def pick(items: list[t.Any], selector: dict[str, t.Any], partly: bool = False) -> t.Any:
    """The only item with the selector's keys; partly: else the only one that leaves the other keys to defaults."""
    mappings = [item for item in items if isinstance(item, dict)]
    found = [item for item in mappings if all(item.get(name) == value for name, value in selector.items())]
    if not found and partly:
        found = [item for item in mappings if all(item.get(name, value) == value for name, value in selector.items())]
    return found[0] if len(found) == 1 else None


def same(wanted: t.Any, live: t.Any, key: str, holder: str) -> bool:
    """Whether a value that one manager owns as a whole is equal, but for the server's defaults."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        defaults = DEFAULTS_OF.get(key, DEFAULTS)
        return all(
            same(wanted[name], value, name, key) if name in wanted else name in defaults and defaults[name] == value
            for name, value in live.items()
        ) and all(name in live or is_empty(value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(same(one, other, "", "") for one, other in zip(wanted, live))
    if type(wanted) is type(live) and wanted == live:
        return True
    return (key in FIELDS or holder in HOLDERS) and same_quantity(wanted, live)
