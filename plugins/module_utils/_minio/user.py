# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Users: what is wanted, what is there, and the way from one to the other."""

from __future__ import annotations

import json
import typing as t

from .._plan import Change, State, States
from . import MinioError, values
from .connection import Clients, Params, RefusedError, call, maybe
from .run import Kind

# What a diff shows in place of a secret.
GIVEN = "as given"
OTHER = "another one"


def wanted(params: Params) -> States:
    """The users by name; None is absent."""
    named = values.unique_by(params["users"], "access_key", "users")
    return {name: _state(name, item) for name, item in named.items()}


def _state(name: str, item: Params) -> State | None:
    field = f"users.{values.access_key(name, 'users.access_key')}"
    if item["state"] == "absent":
        return None
    values.secret_key(item["secret_key"] or "", f"{field}.secret_key")
    policies = None if item["policies"] is None else sorted(set(item["policies"]))
    return {"enabled": item["enabled"], "policies": policies, "secret": GIVEN}


def read(clients: Clients, params: Params, named: States) -> States:
    """The users as they are."""
    if clients.administrator in named:
        field = f"users.{clients.administrator}"
        raise MinioError(f"{field}: this is the administrator who signs in here; it is not managed as a user")
    items = values.unique_by(params["users"], "access_key", "users")
    return {name: _read(clients, items[name], name) for name in named}


def _read(clients: Clients, item: Params, name: str) -> State | None:
    text = maybe(clients.admin.user_info, name)
    if not text:
        return None
    info = json.loads(text)
    enabled = info["status"] == "enabled"
    found = {"enabled": enabled, "policies": sorted(filter(None, (info.get("policyName") or "").split(",")))}
    return found if item["state"] == "absent" else {**found, "secret": _secret(clients, item, enabled)}


def _secret(clients: Clients, item: Params, enabled: bool) -> str:
    """Whether the given secret counts as the one in force."""
    when = item["update_secret"]
    if when != "when_different":
        return OTHER if when == "always" else GIVEN
    if not enabled:
        # The signature of a disabled user is never looked at, so enabling it sets the secret too.
        return OTHER if item["enabled"] else GIVEN
    try:
        call(clients.sign_in(item["access_key"], item["secret_key"]).list_buckets)
    except RefusedError as error:
        return OTHER if error.code == "SignatureDoesNotMatch" else GIVEN
    return GIVEN


def refuse(clients: Clients, changes: t.Sequence[Change], elsewhere: bool) -> None:
    """Say what the server would refuse half-way."""
    asked = [change for change in changes if change.after and change.sets("policies")]
    for change in asked:
        # MinIO does not find a disabled user when its policies shall change.
        if change.before and not change.before["enabled"] and not (change.after or {})["enabled"]:
            raise MinioError(f"users.{change.name}.policies: a disabled user's policies cannot change; enable it first")
    if not asked or elsewhere:
        return
    known = set(json.loads(call(clients.admin.policy_list)))
    for change in asked:
        missing = sorted(set((change.after or {}).get("policies") or []) - known)
        if missing:
            raise MinioError(f"users.{change.name}.policies: no policy '{missing[0]}' exists; make it first")


def apply(clients: Clients, params: Params, change: Change) -> None:
    """Make one change. Setting the secret enables the user, so a user that shall be disabled is disabled last."""
    if change.after is None:
        call(clients.admin.user_remove, change.name)
        return
    item = next(item for item in params["users"] if item["access_key"] == change.name)
    if change.sets("secret"):
        call(clients.admin.user_add, change.name, item["secret_key"])
    elif change.sets("enabled") and change.after["enabled"]:
        call(clients.admin.user_enable, change.name)
    if change.sets("policies") and (change.before or change.after["policies"]):
        call(clients.admin.policy_set, ",".join(change.after["policies"]), user=change.name)
    if not change.after["enabled"] and (change.sets("enabled") or change.sets("secret")):
        call(clients.admin.user_disable, change.name)


KIND = Kind(wanted, read, refuse, apply)
