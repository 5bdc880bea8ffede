# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What can go wrong between a task and the API server."""

from __future__ import annotations

import contextlib
import re
import typing as t

FORBIDDEN = re.compile(r'User "([^"]*)" cannot (\S+) resource "([^"]*)"(.*)', re.DOTALL)


CONFLICT = re.compile(r'conflict with "([^"]*)"')


class Conflict(t.NamedTuple):
    """A field that another manager owns."""

    manager: str
    operation: str
    field: str

    def __str__(self) -> str:
        """The conflict in words."""
        return f"{self.manager} about {self.field}"


class KubeError(Exception):
    """One readable sentence for the user."""


class UnreachableError(KubeError):
    """The API server did not answer."""


class UnknownKindError(KubeError):
    """The server has no such kind."""


class Faults:
    """Collects what is wrong, so that one message has all of it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    @contextlib.contextmanager
    def noted(self) -> t.Iterator[None]:
        """Go on after a fault. An answer of the server, or none, is no fault of the input and ends the run."""
        try:
            yield
        except (ApiError, UnreachableError):
            raise
        except KubeError as error:
            self.texts.append(str(error))

    def refuse(self) -> None:
        """Raise all faults as one."""
        if self.texts:
            raise KubeError("\n".join(self.texts))


class ApiError(KubeError):
    """The API server answered with a Status."""

    def __init__(self, status: int, body: t.Any, retry_after: float | None = None) -> None:
        fields = body if isinstance(body, dict) else {}
        self.status = status
        self.reason: str = fields.get("reason") or ""
        self.message: str = fields.get("message") or (body if isinstance(body, str) else "") or f"HTTP status {status}"
        self.causes: list[dict[str, t.Any]] = (fields.get("details") or {}).get("causes") or []
        self.retry_after = retry_after
        super().__init__(self.message)

    def __str__(self) -> str:
        """The message; a missing permission with its verb and resource."""
        found = FORBIDDEN.search(self.message) if self.status == 403 else None
        if not found:
            return self.message
        user, verb, resource, place = found.groups()
        return f"missing permission: user {user} may not {verb} {resource}{place}; grant it in a Role or ClusterRole"

    @property
    def not_found(self) -> bool:
        """Whether the object, or its kind, is not there."""
        return self.status == 404

    @property
    def conflicts(self) -> list[Conflict]:
        """The fields that other managers own with another value."""
        found = [(cause, CONFLICT.search(cause.get("message") or "")) for cause in self.causes]
        return [
            Conflict(match[1], "Update" if " using " in cause["message"] else "Apply", cause.get("field") or "")
            for cause, match in found
            if match and cause.get("reason") == "FieldManagerConflict"
        ]
