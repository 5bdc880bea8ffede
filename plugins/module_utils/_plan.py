# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""From what is there and what is wanted to the changes, and from the changes to a module's result."""

from __future__ import annotations

import typing as t

State = dict[str, t.Any]
States = t.Mapping[str, t.Optional[State]]


class Change(t.NamedTuple):
    """One thing that becomes another; before is None where it is made, after where it is removed."""

    name: str
    before: State | None
    after: State | None

    @property
    def kind(self) -> str:
        """The list of the result that names it."""
        if self.before is None:
            return "created"
        return "removed" if self.after is None else "configured"

    def sets(self, field: str) -> bool:
        """Whether the change gives this field another value."""
        return (self.before or {}).get(field) != (self.after or {}).get(field)


def merged(current: State | None, wanted: State | None) -> State | None:
    """What shall be there: a wanted field that is None is left as it is."""
    if wanted is None:
        return None
    return {**(current or {}), **{key: value for key, value in wanted.items() if value is not None}}


def plan(current: States, wanted: States) -> list[Change]:
    """The changes that make the one into the other, in the order of the wanted."""
    pairs = [(name, current.get(name), merged(current.get(name), state)) for name, state in wanted.items()]
    return [Change(name, before, after) for name, before, after in pairs if before != after]


def result(changes: t.Sequence[Change], unverified: str = "") -> dict[str, t.Any]:
    """What a module returns, with a diff of what changes and nothing else; unverified says why the plan is a guess."""
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
