# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a server has of the wanted databases and roles."""

from __future__ import annotations

import dataclasses
import typing as t

from .access import UNKNOWN, Held, level
from .session import Session
from .wanted import Wanted

MAINTENANCE = "postgres"
ATTRIBUTES = ("rolcanlogin", "rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls")

ROLES = """
SELECT rolname, rolpassword, rolvaliduntil::text,
  rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls
FROM pg_catalog.pg_authid WHERE rolname = ANY(%s)
"""
# Before PostgreSQL 16, who granted a membership may be gone.
MEMBERSHIPS = """
SELECT m.rolname, r.rolname, g.rolname FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles m ON m.oid = a.member JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantor
WHERE m.rolname = ANY(%s) ORDER BY 1, 2, 3
"""
DATABASES = """
SELECT d.datname, r.rolname, d.datconnlimit, d.datallowconn
FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba WHERE d.datname = ANY(%s)
"""
# Who else depends on a role, apart from one database and what is in it.
OTHERS = """
SELECT count(*) FROM pg_catalog.pg_shdepend s, pg_catalog.pg_roles r, pg_catalog.pg_database d
WHERE r.rolname = %s AND d.datname = %s AND s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = r.oid
AND s.dbid <> d.oid AND NOT (s.dbid = 0 AND s.classid = 'pg_catalog.pg_database'::regclass AND s.objid = d.oid)
"""
ON_DATABASES = """
SELECT d.datname, coalesce(r.rolname, ''), a.privilege_type
FROM pg_catalog.pg_database d
CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE d.datname = ANY(%s) AND a.grantee <> d.datdba
"""
ON_SCHEMA = """
SELECT r.rolname, array_agg(a.privilege_type) FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE n.nspname = 'public' AND r.rolname = ANY(%s) GROUP BY 1
"""
ON_RELATIONS = """
SELECT DISTINCT r.rolname, c.relkind = 'S',
  ARRAY(SELECT a.privilege_type FROM aclexplode(c.relacl) a WHERE a.grantee = r.oid ORDER BY 1)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace CROSS JOIN pg_catalog.pg_roles r
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND r.rolname = ANY(%s)
"""
ON_NEW = """
SELECT r.rolname, d.defaclobjtype = 'S', array_agg(a.privilege_type)
FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL aclexplode(d.defaclacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
JOIN pg_catalog.pg_roles o ON o.oid = d.defaclrole
WHERE n.nspname = 'public' AND d.defaclobjtype IN ('r', 'S') AND o.rolname = %s AND r.rolname = ANY(%s) GROUP BY 1, 2
"""
EXTENSIONS = "SELECT extname FROM pg_catalog.pg_extension ORDER BY 1"


@dataclasses.dataclass
class Role:
    """A role that exists."""

    stored: str | None = dataclasses.field(repr=False)
    attributes: dict[str, bool]
    # When its password ends; None and infinity are never.
    valid_until: str | None = None
    # The roles that it is a member of, each with who granted it.
    memberships: list[tuple[str, str | None]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Database:
    """A database that exists."""

    owner: str
    connection_limit: int
    allow_connections: bool = True
    public: frozenset[str] = frozenset()
    extensions: tuple[str, ...] = ()
    # The word for what each other role holds.
    grants: dict[str, str] = dataclasses.field(default_factory=dict)
    # Whether the owner has anything outside of this database.
    owner_has_more: bool = False


@dataclasses.dataclass
class State:
    """What the server has."""

    roles: dict[str, Role] = dataclasses.field(default_factory=dict)
    databases: dict[str, Database] = dataclasses.field(default_factory=dict)


def read(session: Session, rows: t.Sequence[Wanted]) -> State:
    """The state of the wanted databases, their owners and the roles of their grants."""
    names = [row.name for row in rows]
    roles = sorted({role for row in rows for role in (row.owner, *(name for name, _ in row.grants))})
    state = State()
    for name, stored, until, *attributes in session.rows(MAINTENANCE, ROLES, [roles]):
        state.roles[name] = Role(stored, dict(zip(ATTRIBUTES, attributes)), until)
    for member, role, grantor in session.rows(MAINTENANCE, MEMBERSHIPS, [roles]):
        state.roles[member].memberships.append((role, grantor))
    for name, owner, limit, allowed in session.rows(MAINTENANCE, DATABASES, [names]):
        state.databases[name] = Database(owner, limit, allowed)
    held = _on_databases(session, names)
    for row in rows:
        found = state.databases.get(row.name)
        if found:
            _complete(session, row, found, held.get(row.name, {}))
    return state


def _on_databases(session: Session, names: list[str]) -> dict[str, dict[str, frozenset[str]]]:
    held: dict[str, dict[str, frozenset[str]]] = {}
    for database, role, privilege in session.rows(MAINTENANCE, ON_DATABASES, [names]):
        roles = held.setdefault(database, {})
        roles[role] = roles.get(role, frozenset()) | {privilege}
    return held


def _complete(session: Session, row: Wanted, found: Database, held: dict[str, frozenset[str]]) -> None:
    if not row.present:
        found.owner_has_more = session.rows(MAINTENANCE, OTHERS, [row.owner, row.name])[0][0] > 0
        return
    found.public = held.pop("", frozenset())
    roles = sorted({name for name, _ in row.grants} | set(held) - {row.owner})
    if not found.allow_connections:
        found.grants = dict.fromkeys(roles, UNKNOWN)
        return
    if roles:
        found.grants = _grants(session, row, roles, held)
    if row.extensions:
        found.extensions = tuple(name for (name,) in session.rows(row.name, EXTENSIONS))


def _grants(session: Session, row: Wanted, roles: list[str], held: dict[str, frozenset[str]]) -> dict[str, str]:
    on_schema = {role: frozenset(found) for role, found in session.rows(row.name, ON_SCHEMA, [roles])}
    existing: dict[tuple[str, bool], frozenset[frozenset[str]]] = {}
    for role, sequence, privileges in session.rows(row.name, ON_RELATIONS, [roles]):
        existing[role, sequence] = existing.get((role, sequence), frozenset()) | {frozenset(privileges)}
    new = {
        (role, sequence): frozenset(privileges)
        for role, sequence, privileges in session.rows(row.name, ON_NEW, [row.owner, roles])
    }
    nothing: frozenset[t.Any] = frozenset()
    return {
        role: level(
            Held(
                held.get(role, nothing),
                on_schema.get(role, nothing),
                (existing.get((role, False), nothing), existing.get((role, True), nothing)),
                (new.get((role, False), nothing), new.get((role, True), nothing)),
            )
        )
        for role in roles
    }
