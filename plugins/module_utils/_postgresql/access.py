# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What other roles may do in a database, as one word, and the statements that make it so."""

from __future__ import annotations

import contextlib
import typing as t

with contextlib.suppress(ImportError):  # the module says so
    from psycopg import sql

NONE, OTHER = "none", "other"
# What a database holds that takes no connections: nobody can look.
UNKNOWN = "unknown"
RELATIONS = ("tables", "sequences")
# Per word: privileges on the database, on the schema public, on its tables and on its sequences.
LEVELS: dict[str, tuple[frozenset[str], ...]] = {
    NONE: (frozenset(), frozenset(), frozenset(), frozenset()),
    "connect": (frozenset({"CONNECT"}), frozenset(), frozenset(), frozenset()),
    "read": (frozenset({"CONNECT"}), frozenset({"USAGE"}), frozenset({"SELECT"}), frozenset({"SELECT"})),
    "write": (
        frozenset({"CONNECT"}),
        frozenset({"USAGE"}),
        frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"}),
        frozenset({"SELECT", "USAGE"}),
    ),
}


class Held(t.NamedTuple):
    """The privileges that a role holds in a database."""

    database: frozenset[str] = frozenset()
    schema: frozenset[str] = frozenset()
    # The different sets of privileges that its tables and sequences give, and what new ones will give.
    existing: tuple[frozenset[frozenset[str]], frozenset[frozenset[str]]] = (frozenset(), frozenset())
    new: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())


def level(held: Held) -> str:
    """The word for what a role holds; `other` where no word fits, for instance after a change by hand."""
    for word, (database, schema, *relations) in LEVELS.items():
        alike = all(
            held.existing[place] <= {privileges} and held.new[place] == privileges
            for place, privileges in enumerate(relations)
        )
        if held.database == database and held.schema == schema and alike:
            return word
    return OTHER


def statements(database: str, owner: str, role: str, word: str) -> list[sql.Composed]:
    """The statements, run in the database, that take everything from a role and give it what the word stands for."""
    on_database, on_schema, *on_relations = LEVELS[word]
    names = {"db": sql.Identifier(database), "owner": sql.Identifier(owner), "role": sql.Identifier(role)}
    lines = [_change("DATABASE {db}", on_database, names), _change("SCHEMA public", on_schema, names)]
    for kind, privileges in zip(RELATIONS, on_relations):
        lines.append(_change(f"ALL {kind} IN SCHEMA public", privileges, names))
        default = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public "
        lines.append(_change(kind, privileges, names, default))
    return [statement for line in lines for statement in line]


def _change(
    what: str, privileges: frozenset[str], names: t.Mapping[str, t.Any], before: str = ""
) -> list[sql.Composed]:
    texts = [f"{before}REVOKE ALL ON {what} FROM {{role}}"]
    if privileges:
        texts.append(f"{before}GRANT {', '.join(sorted(privileges))} ON {what} TO {{role}}")
    return [sql.SQL(text).format(**names) for text in texts]
