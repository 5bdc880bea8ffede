# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What an answer of the server, or a state of an object, means for the plan."""

from __future__ import annotations

import re
import typing as t

from .errors import ApiError
from .objects import MANAGER_PREFIX, Key, Object
from .ownership import Contest, Path, owners
from .retry import webhook_missing

IMMUTABLE = re.compile(
    r"immutable|may not change|may not be (?:changed|updated|set once)|cannot (?:be )?change|"
    r"(?:updates?|changes?) to .{0,200}(?:is|are) forbidden|can not be changed",
    re.IGNORECASE | re.DOTALL,
)
UNDECLARED = re.compile(r'field not declared in schema|unknown field "')


def version(obj: Object) -> str | None:
    """The resourceVersion of an object of the server."""
    return t.cast("str | None", obj["metadata"].get("resourceVersion"))


def owned_alone(live: Object, path: Path, manager: str) -> bool:
    """Whether only the set owns the field: it would vanish when the set stops applying it."""
    found = owners(live, path)
    return bool(found) and all(owner == (manager, "Apply") for owner in found)


def conflict_text(rivals: t.Sequence[Contest]) -> str:
    """The message about fields that other tools apply."""
    names = sorted({contest.manager for contest in rivals})
    sets = [
        f"the set {name.removeprefix(MANAGER_PREFIX)}" if name.startswith(MANAGER_PREFIX) else name for name in names
    ]
    fields = ", ".join(sorted({contest.field for contest in rivals}))
    return (
        f"{' and '.join(sets)} applies {fields} with another value: agree on one, or set force_conflicts to true to win"
    )


def is_immutable(error: ApiError) -> bool:
    """Whether the server refuses for no other reason than fields that can never change."""
    texts = [str(cause.get("message") or "") for cause in error.causes] or [error.message]
    return error.status in (422, 403, 400) and all(IMMUTABLE.search(text) for text in texts)


def is_undeclared(error: ApiError) -> bool:
    """Whether the schema of the kind does not have a field of the object."""
    return error.status in (400, 422, 500) and bool(UNDECLARED.search(error.message))


def lacks_account(error: ApiError) -> bool:
    """Whether a pod's namespace is so new that Kubernetes has not yet made the account that every namespace gets."""
    return error.status == 403 and 'serviceaccount "default" not found' in error.message


def defines(crd: Object) -> tuple[str, str]:
    """The group and the kind that a CRD defines."""
    spec = crd.get("spec") or {}
    return str(spec.get("group")), str((spec.get("names") or {}).get("kind"))


def waits_for(error: ApiError, wanted: t.Mapping[Key, Object], new_kind: bool = False) -> bool:
    """Whether the server cannot tell, because something is missing that the set itself brings, or a webhook is.

    The kind of the object is missing only if it is a new one.
    """
    message = error.message
    if "does not support dry run" in message or webhook_missing(error):
        return True
    if error.status == 404:
        namespace = missing_namespace(error)
        return namespace in {key.name for key in wanted if key.is_namespace} if namespace else new_kind
    if error.status not in (403, 422):
        return False
    if "being terminated" in message:
        return any(key.is_namespace and f"namespace {key.name} " in message for key in wanted)
    return "not found" in message and any(f'"{key.name}"' in message for key in wanted if not key.is_namespace)


def missing_namespace(error: ApiError) -> str:
    """The namespace that does not exist, if that is the fault."""
    found = re.fullmatch(r'namespaces "([^"]+)" not found', error.message)
    return found[1] if found else ""
