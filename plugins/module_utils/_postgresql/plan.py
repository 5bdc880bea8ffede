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
from .access import NONE, UNKNOWN, statements
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
FOREVER = "infinity"
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
    known = password is None or (found is not None and scram.matches(password, found.stored))
    after = _role_as(GIVEN, Role(None, {attribute: value for attribute, (_text, value) in ATTRIBUTES.items()}))
    change = Change(f"role {name}", _shown_role(found, known) if found else None, after)
    done = _attributes(name, found, None if known else password)
    done += [_left(name, role, grantor) for role, grantor in (found.memberships if found else ())]
    change.steps.append((MAINTENANCE, False, done))
    return change


def _shown_role(found: Role, known: bool = False) -> Shown:
    return _role_as(GIVEN if known else OTHER_PASSWORD if found.stored else NO_PASSWORD, found)


def _role_as(password: str, role: Role) -> Shown:
    member_of = sorted({name for name, _grantor in role.memberships})
    valid_until = role.valid_until or FOREVER
    return {"password": password, **role.attributes, "valid_until": valid_until, "member_of": member_of}


def _attributes(name: str, found: Role | None, password: str | None) -> list[sql.Composed]:
    """The statement that makes the role, or gives it what it misses and the password, if any."""
    missing = [text for item, (text, wanted) in ATTRIBUTES.items() if not found or found.attributes[item] != wanted]
    clauses: list[sql.Composable] = [sql.SQL(text) for text in missing]
    if found and (found.valid_until or FOREVER) != FOREVER:
        clauses.append(sql.SQL("VALID UNTIL {}").format(sql.Literal(FOREVER)))
    if password is not None:
        clauses.append(sql.SQL("PASSWORD {}").format(sql.Literal(scram.verifier(password))))
    start = sql.SQL("ALTER ROLE {} " if found else "CREATE ROLE {} ").format(sql.Identifier(name))
    return [start + sql.SQL(" ").join(clauses)] if clauses else []


def _left(name: str, role: str, grantor: str | None) -> sql.Composed:
    """The statement that ends a membership, with what the member granted by it."""
    # Since PostgreSQL 16 a superuser revokes what the first superuser granted, unless another is named.
    by = sql.SQL(" GRANTED BY {}").format(sql.Identifier(grantor)) if grantor else sql.SQL("")
    return sql.SQL("REVOKE {} FROM {}{} CASCADE").format(sql.Identifier(role), sql.Identifier(name), by)


def _database(row: Wanted, found: Database | None) -> Change:
    after = {
        "owner": row.owner,
        "connection_limit": row.connection_limit,
        "allow_connections": True,
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
        "allow_connections": found.allow_connections,
        "open_to_all": bool(found.public),
        "extensions": sorted(found.extensions) if found.allow_connections else UNKNOWN,
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
    if found and not found.allow_connections:
        # Last, so that nobody signs in by what was just taken; the next step signs in itself.
        done.append(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
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
        changes.append(Change(f"role {row.owner}", _shown_role(role), None, [(MAINTENANCE, False, [drop])]))
    return changes
