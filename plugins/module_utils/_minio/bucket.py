# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Buckets: what is wanted, what is there, and the way from one to the other."""

from __future__ import annotations

import typing as t

from .._plan import Change, State, States
from . import MinioError, values
from . import bucket_settings as settings
from .connection import Clients, Params, call
from .run import Kind


def unset(name: str) -> State:
    """The options of a bucket about which nothing is said."""
    return {"name": name, "state": "present", **dict.fromkeys(settings.READERS)}


def wanted(params: Params) -> States:
    """The buckets by name; None is absent."""
    named = values.unique_by(params["buckets"], "name", "buckets")
    return {values.bucket_name(name, f"buckets.{name}.name"): _state(name, item) for name, item in named.items()}


def _state(name: str, item: Params) -> State | None:
    if item["state"] == "absent":
        return None
    field = f"buckets.{name}"
    state = {
        "object_lock": item["object_lock"],
        "versioning": item["versioning"],
        "quota": None if item["quota"] is None else values.size(item["quota"], f"{field}.quota"),
        "retention": settings.retention(item["retention"], f"{field}.retention"),
        "lifecycle": settings.rules(item["lifecycle"], f"{field}.lifecycle"),
    }
    if state["object_lock"] and state["versioning"] is False:
        raise MinioError(f"{field}.versioning: object_lock needs versions; leave it out or set it to true")
    return state


def read(clients: Clients, _params: Params, named: States) -> States:
    """The buckets as they are, as far as something is said about them."""
    return {name: settings.read(clients, name, state) for name, state in named.items()}


def refuse(clients: Clients, changes: t.Sequence[Change], _elsewhere: bool) -> None:
    """Say what cannot be done, before anything is."""
    for change in changes:
        field = f"buckets.{change.name}"
        if change.after is None:
            listed = call(_first_object, clients, change.name)
            if listed:
                raise MinioError(f"{field}.state: it is not empty (it has {listed!r}); remove its objects first")
        elif change.before and change.sets("object_lock"):
            raise MinioError(f"{field}.object_lock: it can be chosen only for a new bucket; make another one")
        elif change.after.get("retention") and not _locked(clients, change):
            raise MinioError(f"{field}.retention: it needs object_lock, which this bucket does not have")


def _locked(clients: Clients, change: Change) -> bool:
    if change.before is None:
        return bool((change.after or {}).get("object_lock"))
    return settings.lock_of(clients, change.name) is not None


def _first_object(clients: Clients, name: str) -> str | None:
    """The name of one object or former version."""
    found = next(iter(clients.s3.list_objects(name, recursive=True, include_version=True)), None)
    return found.object_name if found else None


def apply(clients: Clients, _params: Params, change: Change) -> None:
    """Make one change."""
    if change.after is None:
        call(clients.s3.remove_bucket, change.name)
        return
    if change.before is None:
        call(clients.s3.make_bucket, change.name, object_lock=bool(change.after.get("object_lock")))
    # Unset and the value of a fresh bucket are the same.
    for field, setter in settings.SETTERS.items():
        if change.sets(field) and (change.before or change.after[field]):
            setter(clients, change.name, change.after[field])


KIND = Kind(wanted, read, refuse, apply)
