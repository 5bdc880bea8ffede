# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What stands against deleting an object and creating it anew. Nothing is deleted that would not come back."""

from __future__ import annotations

import hashlib
import typing as t

from .change import Change, Refusal, apply
from .client import Client
from .desired import may_be_replaced
from .errors import FORBIDDEN, ApiError
from .objects import Key, Object
from .options import Options
from .prune import KIND_IN_USE, instances, loses_claims
from .remove import doomed, rehearsed
from .verdict import waits_for

# Their names follow from what they hold, so that no twin by another name can be tried.
NAMED_BY_CONTENT = ("CustomResourceDefinition", "APIService")
LONGEST_NAME = 63
# What stands against a twin but not against a replacement, as the old object still has it.
TAKEN = ("already", "exceeded quota")


class Replacer:
    """Asks the server whether an object may be replaced."""

    def __init__(self, client: Client, options: Options, wanted: t.Mapping[Key, Object]) -> None:
        self.client = client
        self.options = options
        self.wanted = wanted

    def checked(self, change: Change, error: ApiError | None) -> Change | Refusal:
        """The change as a replacement, or why it is none. The error is that of an immutable field, if it is one."""
        change.action = "replaced"
        text = self.forbidden(change, error) or self.lost(change)
        if text:
            return Refusal(change.key, text)
        if change.before:
            rehearsed(self.client, doomed(change.path, change.before))
        return self.rehearsed(change)

    def forbidden(self, change: Change, error: ApiError | None) -> str:
        """Why the rules do not allow it."""
        said = error.message if error else ""
        if change.key.is_namespace or (change.key.is_claim and not self.options.remove_claims):
            return f"an immutable field would change, and it holds data: {said}"
        if may_be_replaced(change.wanted):
            return ""
        return (
            f"an immutable field would change: {said}. Take the change back, remove the object first, or allow its "
            'replacement by the annotation mlops.platform/replace: "true"'
        )

    def lost(self, change: Change) -> str:
        """What would be lost with the old object."""
        if change.before and change.key.is_crd and instances(self.client, change.before):
            return f"it cannot be replaced, as {KIND_IN_USE}, which would go with it: remove them first"
        if change.before and not self.options.remove_claims:
            return loses_claims(change.before)
        return ""

    def rehearsed(self, change: Change) -> Change | Refusal:
        """The change, if the server would create the object: a twin by another name is tried without being stored."""
        if change.key.kind in NAMED_BY_CONTENT:
            return change
        name = twin_name(change.key.name)
        path = f"{change.path.rpartition('/')[0]}/{name}"
        twin = {**change.wanted, "metadata": {**change.wanted["metadata"], "name": name}}
        like = Change(change.key, "created", twin, path)
        try:
            answer = apply(self.client, like, self.options.set_id.manager, dry_run=True).body
            change.after = renamed(answer, name, change.key.name)
        except ApiError as error:
            if waits_for(error, self.wanted):
                change.verified = False
            elif not for_twins_only(error, name):
                return Refusal(change.key, f"it would be replaced, but the server refuses the new one: {error}")
        return change


def twin_name(name: str) -> str:
    """A name of nobody, in the form and length of the given one."""
    mark = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: LONGEST_NAME - 20].rstrip('.-')}-{mark}"


def renamed(value: t.Any, old: str, new: str) -> t.Any:
    """A copy of an object of the server with another name, also where the server put it, as in a Job's labels."""
    if isinstance(value, dict):
        return {name: renamed(item, old, new) for name, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, old, new) for item in value]
    return new if value == old else value


def for_twins_only(error: ApiError, name: str) -> bool:
    """Whether the server refuses a twin for its name, or for what the old object still has."""
    about_name = any(
        str(cause.get("field")).startswith("metadata") or name in str(cause.get("message")) for cause in error.causes
    )
    # A role may be for some names only: the old object's own dry run has shown that its name is among them.
    by_role = error.status == 403 and bool(FORBIDDEN.search(error.message))
    return about_name or by_role or any(text in error.message for text in TAKEN)
