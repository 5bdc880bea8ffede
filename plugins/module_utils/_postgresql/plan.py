# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""From what is there and what is wanted to the changes, each with its statements."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from . import PostgresqlError, scram
from .access import NONE, statements
from .read import MAINTENANCE, Database, Role, State
from .wanted import Wanted

with contextlib.suppress(ImportError):  # the module says so
    from psycopg import sql

# The owner of a database may sign in, and nothing else.
ATTRIBUTES = {
    "rolcanlogin": ("LOGIN", True),
    "rolsuper": ("NOSUPERUSER", False),
    "rolcreatedb": ("NOCREATEDB", False),
    "rolcreaterole": ("NOCREATEROLE", False),
    "rolreplication": ("NOREPLICATION", False),
    "rolbypassrls": ("NOBYPASSRLS", False),
}
GIVEN, OTHER_PASSWORD, NO_PASSWORD = "as given", "another", "none"
Shown = dict[str, t.Any]


@dataclasses.dataclass
class Change:
    """One role or database that becomes another; before is None where it is made, after where it is removed."""

    name: str
    before: Shown | None
    after: Shown | None
    # Where statements run, whether in one transaction, and the statements.
    steps: list[tuple[str, bool, list[t.Any]]] = dataclasses.field(default_factory=list, repr=False)

    @property
    def kind(self) -> str:
        """The list of the result that names it."""
        if self.before is None:
            return "created"
        return "removed" if self.after is None else "configured"


def plan(state: State, rows: t.Sequence[Wanted]) -> list[Change]:
    """The changes, in the order in which they can be made."""
    _refuse(state, rows)
    present = [row for row in rows if row.present]
    owners = {row.owner: row for row in present}
    changes = [_role(name, state.roles.get(name), row.password) for name, row in owners.items()]
    changes += [_database(row, state.databases.get(row.name)) for row in present]
    for row in rows:
        if not row.present:
            changes += _removed(row, state, keep_owner=row.owner in owners)
    return [change for change in changes if change.before != change.after]


def _refuse(state: State, rows: t.Sequence[Wanted]) -> None:
    """Stop before anything is changed."""
    owners = {row.owner for row in rows if row.present}
    for number, row in enumerate(rows):
        field = f"databases[{number}]"
        if not row.present and row.name in state.databases and not row.remove_data:
            raise PostgresqlError(
                f"{field}: removing '{row.name}' deletes its data; set remove_data to true to allow it"
            )
        if row.present and row.owner not in state.roles and row.password is None:
            raise PostgresqlError(f"{field}.password: role '{row.owner}' does not exist yet; give its password")
        for role, _word in row.grants:
            if role not in state.roles and role not in owners:
                raise PostgresqlError(f"{field}.grants: there is no role '{role}'; it is the owner of another database")


def _role(name: str, found: Role | None, password: str | None) -> Change:
    texts = {attribute: text for attribute, (text, _wanted) in ATTRIBUTES.items()}
    wanted = {attribute: value for attribute, (_text, value) in ATTRIBUTES.items()}
    known = password is None or (found is not None and scram.matches(password, found.stored))
    stored = found and (GIVEN if known else OTHER_PASSWORD if found.stored else NO_PASSWORD)
    before = {"password": stored, **found.attributes} if found else None
    change = Change(f"role {name}", before, {"password": GIVEN, **wanted})
    clauses = [texts[item] for item in ATTRIBUTES if not found or found.attributes[item] != wanted[item]]
    statement = sql.SQL("ALTER ROLE {} " if found else "CREATE ROLE {} ").format(sql.Identifier(name))
    statement += sql.SQL(" ".join(clauses))
    if not known and password is not None:
        statement += sql.SQL(" PASSWORD {}").format(sql.Literal(scram.verifier(password)))
    change.steps.append((MAINTENANCE, False, [statement]))
    return change


def _database(row: Wanted, found: Database | None) -> Change:
    after = {
        "owner": row.owner,
        "connection_limit": row.connection_limit,
        "open_to_all": False,
        "extensions": sorted({*row.extensions, *(found.extensions if found else ())}),
        "grants": dict(row.grants),
    }
    change = Change(f"database {row.name}", _shown(found), after)
    change.steps = [
        (MAINTENANCE, False, _on_server(row, found)),
        (row.name, True, _inside(row, found)),
    ]
    return change


def _shown(found: Database | None) -> Shown | None:
    if not found:
        return None
    return {
        "owner": found.owner,
        "connection_limit": found.connection_limit,
        "open_to_all": bool(found.public),
        "extensions": sorted(found.extensions),
        "grants": {role: word for role, word in sorted(found.grants.items()) if word != NONE},
    }


def _on_server(row: Wanted, found: Database | None) -> list[sql.Composed]:
    name, owner, limit = sql.Identifier(row.name), sql.Identifier(row.owner), sql.Literal(row.connection_limit)
    done: list[sql.Composed] = []
    if not found:
        done.append(sql.SQL("CREATE DATABASE {} OWNER {} CONNECTION LIMIT {}").format(name, owner, limit))
    if found and found.owner != row.owner:
        done.append(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    if found and found.connection_limit != row.connection_limit:
        done.append(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, limit))
    if not found or found.public:
        done.append(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    return done


def _inside(row: Wanted, found: Database | None) -> list[sql.Composed]:
    has = found or Database(row.owner, -1)
    extension = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public")
    done = [extension.format(sql.Identifier(name)) for name in row.extensions if name not in has.extensions]
    wanted = {**dict.fromkeys(has.grants, NONE), **dict(row.grants)}
    for role, word in wanted.items():
        if has.grants.get(role, NONE) != word:
            done += statements(row.name, row.owner, role, word)
    return done


def _removed(row: Wanted, state: State, keep_owner: bool) -> list[Change]:
    found, role = state.databases.get(row.name), state.roles.get(row.owner)
    changes = []
    if found:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(row.name))
        changes.append(Change(f"database {row.name}", _shown(found), None, [(MAINTENANCE, False, [drop])]))
    if role and found and not keep_owner and not found.owner_has_more:
        drop = sql.SQL("DROP ROLE {}").format(sql.Identifier(row.owner))
        before = {"password": OTHER_PASSWORD if role.stored else NO_PASSWORD, **role.attributes}
        changes.append(Change(f"role {row.owner}", before, None, [(MAINTENANCE, False, [drop])]))
    return changes
