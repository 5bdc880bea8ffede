"""What postgresql_database decides."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._postgresql import NotThereError, PostgresqlError, scram
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.access import LEVELS, Held, level, statements
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.plan import ATTRIBUTES, Change, plan
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.read import Database, Role, State
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.run import manage
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.wanted import Wanted, wanted

PASSWORD = "correct horse battery"
GOOD = {name: value for name, (_text, value) in ATTRIBUTES.items()}


def row(**values: t.Any) -> dict[str, t.Any]:
    empty = {"owner": None, "password": PASSWORD, "extensions": [], "grants": [], "remove_data": False}
    return {"name": "shop", "state": "present", "connection_limit": -1, **empty, **values}


def planned(state: State, *rows: dict[str, t.Any]) -> list[Change]:
    return plan(state, wanted(rows))


def texts(change: Change) -> list[str]:
    return [statement.as_string(None) for _database, _together, found in change.steps for statement in found]


def running(**changes: t.Any) -> State:
    """A server that is as `row()` wants it, but for the changes."""
    role = Role(scram.verifier(PASSWORD), {**GOOD, **changes.pop("attributes", {})})
    role.valid_until = changes.pop("valid_until", None)
    role.memberships = changes.pop("memberships", [])
    return State({"shop": role}, {"shop": Database("shop", -1, **changes)})


def test_an_empty_server_gets_the_role_first() -> None:
    role, database = planned(State(), row())
    assert [role.name, role.kind, database.name, database.kind] == ["role shop", "created", "database shop", "created"]
    assert texts(database) == [
        'CREATE DATABASE "shop" OWNER "shop" CONNECTION LIMIT  -1',
        'REVOKE ALL ON DATABASE "shop" FROM PUBLIC',
    ]


def test_a_password_is_never_in_a_statement() -> None:
    text = "\n".join(line for change in planned(State(), row()) for line in texts(change))
    assert "SCRAM-SHA-256$" in text
    assert PASSWORD not in text


def test_what_is_as_wanted_is_left_alone() -> None:
    assert planned(running(), row()) == []


def test_without_a_password_the_roles_own_stays() -> None:
    assert planned(running(), row(password=None)) == []


@pytest.mark.parametrize(
    ("change", "statement"),
    [
        ({"attributes": {"rolsuper": True}}, 'ALTER ROLE "shop" NOSUPERUSER'),
        ({"attributes": {"rolcanlogin": False, "rolcreatedb": True}}, 'ALTER ROLE "shop" LOGIN NOCREATEDB'),
        ({"public": frozenset({"CONNECT"})}, 'REVOKE ALL ON DATABASE "shop" FROM PUBLIC'),
        ({"valid_until": "2999-01-01 00:00:00+00"}, "ALTER ROLE \"shop\" VALID UNTIL 'infinity'"),
        ({"valid_until": "-infinity"}, "ALTER ROLE \"shop\" VALID UNTIL 'infinity'"),
        (
            {"valid_until": "2001-01-01 00:00:00+00", "attributes": {"rolsuper": True}},
            "ALTER ROLE \"shop\" NOSUPERUSER VALID UNTIL 'infinity'",
        ),
        (
            {"memberships": [("pg_read_all_data", "postgres")]},
            'REVOKE "pg_read_all_data" FROM "shop" GRANTED BY "postgres" CASCADE',
        ),
        ({"memberships": [('a "team"', None)]}, 'REVOKE "a ""team""" FROM "shop" CASCADE'),
        ({"allow_connections": False}, 'ALTER DATABASE "shop" ALLOW_CONNECTIONS true'),
    ],
)
def test_drift_is_repaired_with_nothing_else(change: dict[str, t.Any], statement: str) -> None:
    (found,) = planned(running(**change), row())
    assert (found.kind, texts(found)) == ("configured", [statement])


@pytest.mark.parametrize("until", [None, "infinity"])
def test_a_password_without_an_end_is_left_alone(until: str | None) -> None:
    assert planned(running(valid_until=until), row()) == []


def test_a_membership_is_ended_for_each_who_granted_it_and_shown_once() -> None:
    (found,) = planned(running(memberships=[("team", "postgres"), ("team", "keeper"), ("all", "postgres")]), row())
    assert texts(found) == [
        'REVOKE "team" FROM "shop" GRANTED BY "postgres" CASCADE',
        'REVOKE "team" FROM "shop" GRANTED BY "keeper" CASCADE',
        'REVOKE "all" FROM "shop" GRANTED BY "postgres" CASCADE',
    ]
    assert found.before == {**(found.after or {}), "member_of": ["all", "team"]}
    assert (found.after or {})["member_of"] == []


def test_only_an_owners_memberships_are_ended() -> None:
    state = running(grants={"guest": "read"})
    state.roles["guest"] = Role(None, GOOD, "2001-01-01 00:00:00+00", [("pg_monitor", "postgres")])
    assert planned(state, row(grants=[{"role": "guest", "access": "read"}])) == []


def test_a_closed_database_is_opened_before_all_that_is_wanted_in_it_is_made() -> None:
    held = {"guest": "unknown", "old": "unknown"}
    state = running(allow_connections=False, public=frozenset({"CONNECT"}), grants=held)
    state.roles["guest"] = Role(None, GOOD)
    (found,) = planned(state, row(extensions=["pg_trgm"], grants=[{"role": "guest", "access": "connect"}]))
    (_, _, outside), (place, _, inside) = found.steps
    assert outside[-1].as_string(None) == 'ALTER DATABASE "shop" ALLOW_CONNECTIONS true'
    assert (place, inside[0].as_string(None)) == ("shop", 'CREATE EXTENSION IF NOT EXISTS "pg_trgm" SCHEMA public')
    assert 'GRANT CONNECT ON DATABASE "shop" TO "guest"' in texts(found)
    assert 'REVOKE ALL ON DATABASE "shop" FROM "old"' in texts(found)
    before = {"allow_connections": False, "extensions": "unknown", "grants": held}
    assert found.before == {**(found.after or {}), "open_to_all": True, **before}


def test_another_owner_and_limit_are_set_right() -> None:
    state = running()
    state.databases["shop"] = Database("somebody", 3)
    (found,) = planned(state, row())
    assert texts(found) == ['ALTER DATABASE "shop" OWNER TO "shop"', 'ALTER DATABASE "shop" CONNECTION LIMIT  -1']


def test_another_password_shows_in_the_diff_without_its_value() -> None:
    state = running()
    state.roles["shop"].stored = scram.verifier("some other password")
    (found,) = planned(state, row())
    assert found.before is not None
    assert found.after is not None
    assert (found.before["password"], found.after["password"]) == ("another", "as given")


def test_names_are_quoted() -> None:
    role, database = planned(State(), row(name='sh"op; DROP', owner="Über role"))
    assert texts(role)[0].startswith('CREATE ROLE "Über role" LOGIN')
    assert texts(database)[0] == 'CREATE DATABASE "sh""op; DROP" OWNER "Über role" CONNECTION LIMIT  -1'


def test_what_a_role_holds_beside_the_list_is_taken_from_it() -> None:
    (found,) = planned(running(grants={"guest": "other"}), row())
    assert texts(found)[0] == 'REVOKE ALL ON DATABASE "shop" FROM "guest"'
    assert not [text for text in texts(found) if text.startswith("GRANT")]


def test_a_grant_is_made_for_tables_that_are_and_that_will_be() -> None:
    state = running()
    state.roles["guest"] = Role(None, GOOD)
    (found,) = planned(state, row(grants=[{"role": "guest", "access": "read"}]))
    assert 'GRANT SELECT ON ALL tables IN SCHEMA public TO "guest"' in texts(found)
    default = 'ALTER DEFAULT PRIVILEGES FOR ROLE "shop" IN SCHEMA public GRANT SELECT ON tables TO "guest"'
    assert default in texts(found)


@pytest.mark.parametrize("word", LEVELS)
def test_each_word_is_recognised_in_what_it_gives(word: str) -> None:
    database, schema, tables, sequences = LEVELS[word]
    held = Held(database, schema, (frozenset({tables}), frozenset({sequences})), (tables, sequences))
    assert level(held) == word
    assert level(held._replace(database=frozenset({"CREATE"}))) == "other"
    assert len(statements("d", "o", "r", word)) >= 6


def test_a_table_that_misses_its_grant_is_drift() -> None:
    database, schema, tables, sequences = LEVELS["read"]
    partly = (frozenset({tables, frozenset()}), frozenset())
    assert level(Held(database, schema, partly, (tables, sequences))) == "other"


def test_removal_needs_to_be_allowed() -> None:
    with pytest.raises(PostgresqlError, match=r"databases\[0\].*remove_data"):
        planned(running(), row(state="absent"))
    removed = planned(running(), row(state="absent", remove_data=True))
    assert [change.name for change in removed] == ["database shop", "role shop"]
    assert texts(removed[0]) == ['DROP DATABASE "shop" WITH (FORCE)']


def test_an_owner_of_more_stays() -> None:
    removed = planned(running(owner_has_more=True), row(state="absent", remove_data=True))
    assert [change.name for change in removed] == ["database shop"]


def test_what_is_absent_already_is_no_change() -> None:
    assert planned(State(), row(state="absent")) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x" * 64}, r"databases\[0\].name: .* no length from 1 to 63"),
        ({"name": "a\0b"}, r"databases\[0\].name"),
        ({"name": "template1"}, "belongs to PostgreSQL"),
        ({"owner": "postgres"}, r"databases\[0\].owner: 'postgres' belongs to PostgreSQL"),
        ({"owner": "pg_read_all_data"}, "begins with pg_"),
        ({"password": "short"}, r"databases\[0\].password: give at least 12"),
        ({"password": "unprintable\x07characters"}, "printable"),
        ({"connection_limit": -2}, r"databases\[0\].connection_limit: -2"),
        ({"grants": [{"role": "shop", "access": "read"}]}, "owns the database"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, t.Any], message: str) -> None:
    with pytest.raises(PostgresqlError, match=message):
        wanted([row(**values)])


def test_a_name_and_a_password_are_given_once() -> None:
    with pytest.raises(PostgresqlError, match="given twice"):
        wanted([row(), row()])
    with pytest.raises(PostgresqlError, match="two passwords"):
        wanted([row(), row(name="other", owner="shop", password="another password")])


def test_a_new_role_needs_a_password_and_a_grant_its_role() -> None:
    with pytest.raises(PostgresqlError, match=r"databases\[0\].password: role 'shop' does not exist"):
        planned(State(), row(password=None))
    with pytest.raises(PostgresqlError, match="there is no role 'nobody'"):
        planned(State(), row(grants=[{"role": "nobody", "access": "read"}]))


def unreachable(_params: t.Any) -> t.NoReturn:
    raise NotThereError("the Service mlops/postgresql does not exist")


def test_in_check_mode_a_server_that_is_not_there_yet_is_taken_as_empty() -> None:
    params = {"databases": [row()]}
    with pytest.raises(NotThereError):
        manage(params, False, unreachable)
    found = manage(params, True, unreachable)
    assert found["not_verified"] == found["created"] == ["role shop", "database shop"]


def test_a_wanted_database_does_not_show_its_password() -> None:
    assert PASSWORD not in repr(Wanted("a", "a", password=PASSWORD))
