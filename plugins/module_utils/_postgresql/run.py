# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Read, plan, apply, and say what was done."""

from __future__ import annotations

import contextlib
import typing as t

from . import NotThereError
from .plan import Change, plan
from .read import State, read
from .session import Session
from .wanted import wanted

Params = t.Mapping[str, t.Any]
Connect = t.Callable[[Params], "contextlib.AbstractContextManager[Session]"]


def manage(params: Params, check_mode: bool, connect: Connect) -> dict[str, t.Any]:
    """Make the server's databases as wanted, or say what that would change."""
    rows = wanted(params["databases"])
    try:
        with connect(params) as session:
            changes = plan(read(session, rows), rows)
            for change in () if check_mode else changes:
                apply(session, change)
            return result(changes)
    except NotThereError as error:
        if not check_mode:
            raise
        return result(plan(State(), [row for row in rows if row.present]), str(error))


def apply(session: Session, change: Change) -> None:
    """Carry one change out."""
    if change.after is None:
        session.leave(change.name.partition(" ")[2])
    for database, together, statements in change.steps:
        if statements:
            session.run(database, statements, together)


def result(changes: t.Sequence[Change], unverified: str = "") -> dict[str, t.Any]:
    """What the module returns; unverified says why the plan is a guess."""
    named: dict[str, t.Any] = {
        kind: [change.name for change in changes if change.kind == kind]
        for kind in ("created", "configured", "removed")
    }
    before = {change.name: change.before for change in changes if change.before is not None}
    after = {change.name: change.after for change in changes if change.after is not None}
    named.update(changed=bool(changes), diff={"before": before, "after": after})
    if unverified:
        return {**named, "not_verified": [change.name for change in changes], "reason": unverified}
    return {**named, "not_verified": []}
