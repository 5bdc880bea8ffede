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

from .atomic import Path, Rules, rules_of, same
from .objects import Object

Fields = dict[str, t.Any]
# The server does not track these as owned.
UNTRACKED = ("apiVersion", "kind")
UNTRACKED_META = ("name", "namespace")


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
    return equal(tracked(wanted), live, entry.get("fieldsV1") or {}, (), rules_of(wanted))


def tracked(obj: Object) -> Object:
    """The fields of an object that the server tracks."""
    rest = {key: value for key, value in obj.items() if key not in UNTRACKED}
    meta = {key: value for key, value in obj["metadata"].items() if key not in UNTRACKED_META}
    rest.pop("metadata")
    return {**rest, "metadata": meta} if meta else rest


def equal(wanted: t.Any, live: t.Any, fields: Fields, path: Path, rules: Rules) -> bool:
    """Whether a value is as wanted, guided by the fields that the set applied."""
    if not fields:
        return same(wanted, live, path, rules)
    if isinstance(wanted, dict) and isinstance(live, dict):
        return equal_maps(wanted, live, fields, path, rules)
    if isinstance(wanted, list) and isinstance(live, list):
        return equal_lists(wanted, live, fields, path, rules)
    return False


def equal_maps(wanted: Object, live: Object, fields: Fields, path: Path, rules: Rules) -> bool:
    """Whether a mapping is as wanted and all its fields are owned."""
    owned = {name[2:] for name in fields if name.startswith("f:")}
    if owned != wanted.keys():
        return False
    return all(
        equal(value, live[name], fields[f"f:{name}"], (*path, name), rules) if name in live else is_empty(value)
        for name, value in wanted.items()
    )


def is_empty(value: t.Any) -> bool:
    """Whether the server leaves the value out of its answers, although it was applied: that it is owned proves that."""
    return value in ("", 0, False) or value == {} or value == []


def equal_lists(wanted: list[t.Any], live: list[t.Any], fields: Fields, path: Path, rules: Rules) -> bool:
    """Whether a list that several managers may share holds what is wanted, in the wanted order."""
    entries = [(name[:2], json.loads(name[2:]), below) for name, below in fields.items() if name != "."]
    if len(entries) != len(wanted):
        return False
    places = []
    for form, selector, below in entries:
        mine, theirs = place(wanted, form, selector, partly=True), place(live, form, selector)
        if mine is None or theirs is None:
            return False
        if form == "k:" and not equal(wanted[mine], live[theirs], below, path, rules):
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
