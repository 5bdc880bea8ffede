# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Policies: what is wanted, what is there, and the way from one to the other."""

from __future__ import annotations

import json
import typing as t

from .._plan import Change, State, States
from . import MinioError, values
from .connection import Clients, Params, call, maybe
from .run import Kind


def wanted(params: Params) -> States:
    """The policies by name; None is absent."""
    named = values.unique_by(params["policies"], "name", "policies")
    return {values.policy_name(name, f"policies.{name}.name"): _state(name, item) for name, item in named.items()}


def _state(name: str, item: Params) -> State | None:
    if item["state"] == "absent":
        return None
    if item["policy"] is None:
        raise MinioError(f"policies.{name}.policy: it is missing; give the document, or state: absent")
    return values.canonical_policy(values.policy_document(item["policy"], f"policies.{name}.policy"))


def read(clients: Clients, _params: Params, named: States) -> States:
    """The policies as they are, in the same form."""
    texts = {name: maybe(clients.admin.policy_info, name) for name in named}
    return {name: values.canonical_policy(json.loads(text)) if text else None for name, text in texts.items()}


def refuse(_clients: Clients, _changes: t.Sequence[Change], _elsewhere: bool) -> None:
    """Nothing: the server itself refuses what it does not take, policy by policy."""


def apply(clients: Clients, _params: Params, change: Change) -> None:
    """Make one change."""
    if change.after is None:
        call(clients.admin.policy_remove, change.name)
    else:
        call(clients.admin.policy_add, change.name, policy=change.after)


KIND = Kind(wanted, read, refuse, apply)
