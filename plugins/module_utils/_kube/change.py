# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a plan consists of, and how one change is sent."""

from __future__ import annotations

import dataclasses
import typing as t

from .client import Client
from .objects import Key, Object
from .ownership import Contest, Path

APPLY = "application/apply-patch+yaml"


@dataclasses.dataclass
class Change:
    """What happens to one object."""

    key: Key
    action: str  # created, configured, replaced, unchanged
    wanted: Object
    path: str
    before: Object | None = None
    after: Object | None = None
    force: bool = False
    verified: bool = True
    hand_over: tuple[Path, ...] = ()
    left: tuple[Contest, ...] = ()


class Refusal(t.NamedTuple):
    """An object that the server, or a rule of this engine, does not allow."""

    key: Key
    text: str


@dataclasses.dataclass
class Plan:
    """All changes of a run, and why it cannot start."""

    changes: list[Change]
    refusals: list[Refusal]


def apply(client: Client, change: Change, manager: str, dry_run: bool = False) -> t.Any:
    """Server-side apply of one object."""
    query: dict[str, str | bool] = {"fieldManager": manager, "force": change.force, "fieldValidation": "Strict"}
    if dry_run:
        query["dryRun"] = "All"
    return client.request("PATCH", change.path, query, change.wanted, APPLY)
