# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the user asks for, checked and complete."""

from __future__ import annotations

import dataclasses
import typing as t

from . import PostgresqlError

LONGEST_NAME = 63
SYSTEM_DATABASES = ("postgres", "template0", "template1")
SHORTEST_PASSWORD = 12
Params = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One database and its owner."""

    name: str
    owner: str
    present: bool = True
    password: str | None = dataclasses.field(default=None, repr=False)
    connection_limit: int = -1
    extensions: tuple[str, ...] = ()
    grants: tuple[tuple[str, str], ...] = ()
    remove_data: bool = False


def wanted(rows: t.Sequence[Params]) -> list[Wanted]:
    """The databases of a task; the message of a wrong value names its field."""
    found = [_wanted(row, f"databases[{number}]") for number, row in enumerate(rows)]
    for number, one in enumerate(found):
        if one.name in [other.name for other in found[:number]]:
            raise PostgresqlError(f"databases[{number}].name: '{one.name}' is given twice; remove one")
        for other in found[:number]:
            if other.owner == one.owner and other.password != one.password:
                raise PostgresqlError(f"databases[{number}].password: role '{one.owner}' is given two passwords")
    return found


def _wanted(row: Params, field: str) -> Wanted:
    name = checked_name(row["name"], f"{field}.name", SYSTEM_DATABASES)
    owner = _role(row.get("owner") or name, f"{field}.owner")
    grants = {_role(grant["role"], f"{field}.grants"): str(grant["access"]) for grant in row.get("grants") or []}
    if owner in grants:
        raise PostgresqlError(f"{field}.grants: '{owner}' owns the database and needs no grant; remove it")
    limit = row["connection_limit"]
    if limit < -1:
        raise PostgresqlError(f"{field}.connection_limit: {limit} is no limit; give -1 for none, or a number from 0")
    return Wanted(
        name=name,
        owner=owner,
        present=row["state"] == "present",
        password=_password(row.get("password"), f"{field}.password"),
        connection_limit=limit,
        extensions=tuple(sorted(checked_name(item, f"{field}.extensions") for item in row.get("extensions") or [])),
        grants=tuple(sorted(grants.items())),
        remove_data=row["remove_data"],
    )


def checked_name(value: t.Any, field: str, reserved: t.Sequence[str] = ()) -> str:
    """A name that PostgreSQL keeps as it is. Any character may be in it: names are always quoted."""
    name = str(value)
    if not name or "\0" in name or len(name.encode()) > LONGEST_NAME:
        raise PostgresqlError(f"{field}: '{name}' has no length from 1 to {LONGEST_NAME} bytes; choose another name")
    if name in reserved:
        raise PostgresqlError(f"{field}: '{name}' belongs to PostgreSQL; choose another name")
    return name


def _role(value: t.Any, field: str) -> str:
    name = checked_name(value, field, ("postgres", "public", "none"))
    if name.startswith("pg_"):
        raise PostgresqlError(f"{field}: '{name}' begins with pg_, which belongs to PostgreSQL; choose another name")
    return name


def _password(value: str | None, field: str) -> str | None:
    if value is None:
        return None
    if len(value) < SHORTEST_PASSWORD or not value.isascii() or not value.isprintable():
        raise PostgresqlError(f"{field}: give at least {SHORTEST_PASSWORD} printable ASCII characters")
    return value
