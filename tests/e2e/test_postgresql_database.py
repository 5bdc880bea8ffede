"""The module postgresql_database against a server: each state in its cycle, drift, and what grants are worth."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import typing as t

import psycopg
import pytest
from e2e.cluster import Cluster, in_namespace, pod
from e2e.conftest import PULL_SECRET, make_namespace

from ansible_collections.mlops.platform.plugins.module_utils._tunnel import client_for, tunnel
from ansible_collections.mlops.platform.plugins.modules import postgresql_database

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Result = dict[str, t.Any]
SUPERUSER, PASSWORD = secrets.token_hex(16), "p'ass\"word, of 25 bytes"
START = """
initdb --pgdata=/data/pgdata --username=postgres --auth=trust --pwfile=/secret/password >&2
printf 'local all all trust\\nhost all all all scram-sha-256\\n' >/data/pgdata/pg_hba.conf
exec postgres -D /data/pgdata -c listen_addresses='*' -c unix_socket_directories=/data
"""


class Server(t.NamedTuple):
    """A PostgreSQL server: how the module reaches it, and how everybody else does."""

    connection: dict[str, t.Any]
    port: int

    def run(self, *databases: dict[str, t.Any], check: bool = False, **options: t.Any) -> Result:
        """Run the module as Ansible does, in a process of its own."""
        arguments = {
            **self.connection,
            "databases": databases,
            **options,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        done = subprocess.run(
            [sys.executable, str(postgresql_database.__file__)],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return t.cast("Result", json.loads(done.stdout or done.stderr))

    def sql(self, database: str, statement: str, user: str = "postgres", password: str = SUPERUSER) -> list[t.Any]:
        """The first column of what a user gets."""
        where = {"host": "127.0.0.1", "port": self.port, "dbname": database, "connect_timeout": 10}
        with psycopg.connect(**where, user=user, password=password, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return [row[0] for row in cursor.fetchall()] if cursor.description else []


@pytest.fixture(scope="module")
def server(cluster: Cluster, image: t.Callable[[str], str]) -> Iterator[Server]:
    """A server on a folder that goes with its pod."""
    namespace = f"test-{secrets.token_hex(4)}"
    make_namespace(cluster, namespace)
    wanted = pod("postgresql", image("postgresql"), ["sh", "-c", START], pull_secret=PULL_SECRET)
    container = wanted["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}, {"name": "secret", "mountPath": "/secret"}]
    container["readinessProbe"] = {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}, "periodSeconds": 1}
    wanted["spec"]["volumes"] = [
        {"name": "data", "emptyDir": {}},
        {"name": "secret", "secret": {"secretName": "postgresql"}},
    ]
    spec = {"selector": {"app": "postgresql"}, "ports": [{"port": 5432}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "postgresql"}, "spec": spec}
    encoded = base64.b64encode(SUPERUSER.encode()).decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgresql"}, "data": {"password": encoded}}
    cluster.apply(*in_namespace(namespace, secret, wanted, service))
    cluster.wait("condition=Ready", "pod/postgresql", namespace)
    connection = {"kubeconfig": cluster.facts["kubeconfig"], "allow_any_server": True, "namespace": namespace}
    with client_for(connection) as client, tunnel(client, namespace, "postgresql", 5432) as address:
        yield Server(connection, address.port)
    cluster.kubectl("delete", "namespace", namespace, "--wait=true")


def cycle(server: Server, *states: tuple[str, dict[str, t.Any]]) -> None:
    """Each state in check mode, for real, again in check mode, again for real."""
    for kind, state in states:
        planned, done = server.run(state, check=True), server.run(state)
        assert planned["changed"], planned
        assert [planned[kind], planned["not_verified"]] == [done[kind], []] != [[], []]
        assert planned["diff"] == done["diff"]
        for again in (True, False):
            assert not server.run(state, check=again)["changed"]


def unique(word: str) -> str:
    """A name that no other test has, and that is nothing without quotes."""
    return f'{word} "{secrets.token_hex(3)}" Ü; DROP'


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_a_database_in_all_its_states(server: Server) -> None:
    name = unique("shop")
    cycle(
        server,
        ("created", {"name": name, "password": PASSWORD}),
        ("configured", {"name": name, "password": PASSWORD[::-1], "connection_limit": 5, "extensions": ["pg_trgm"]}),
        ("removed", {"name": name, "state": "absent", "remove_data": True}),
    )


def test_an_owner_may_use_its_database_and_no_other(server: Server) -> None:
    first, second = unique("first"), unique("second")
    assert server.run({"name": first, "password": PASSWORD}, {"name": second, "password": PASSWORD})["changed"]
    assert server.sql(first, "SELECT 1", first, PASSWORD) == [1]
    server.sql(first, "CREATE TABLE own (a int)", first, PASSWORD)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        server.sql(second, "SELECT 1", first, PASSWORD)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        server.sql(first, "SELECT 1", first, "another password")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.sql(first, "CREATE ROLE more", first, PASSWORD)


def test_what_was_changed_by_hand_is_set_right(server: Server) -> None:
    name, guest = unique("drift"), unique("guest")
    rows = ({"name": name, "password": PASSWORD}, {"name": guest, "password": PASSWORD})
    server.run(*rows)
    quoted = quote(name)
    server.sql("postgres", f"ALTER ROLE {quoted} SUPERUSER CREATEDB PASSWORD 'by hand'")
    server.sql("postgres", f"ALTER DATABASE {quoted} OWNER TO postgres")
    server.sql("postgres", f"GRANT ALL ON DATABASE {quoted} TO PUBLIC")
    planned = server.run(*rows, check=True)
    assert planned["configured"] == [f"role {name}", f"database {name}"]
    assert planned["diff"]["before"][f"role {name}"]["password"] == "another"
    assert PASSWORD not in json.dumps(planned["diff"])
    assert server.run(*rows)["changed"]
    assert server.sql(name, "SELECT 1", name, PASSWORD) == [1]
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        server.sql(name, "SELECT 1", guest, PASSWORD)
    assert not server.run(*rows)["changed"]


UNTIL = ("ALTER ROLE {name} VALID UNTIL '2999-01-01'",)
# Granted twice, once by another role; and passed on, which stands in the way of a revocation.
MEMBER = (
    "GRANT pg_read_all_data TO {name}",
    "CREATE ROLE {keeper}",
    "GRANT pg_read_all_data TO {keeper} WITH ADMIN OPTION",
    "GRANT pg_read_all_data TO {name} GRANTED BY {keeper}",
    "GRANT pg_monitor TO {name} WITH ADMIN OPTION",
    "GRANT pg_monitor TO {keeper} GRANTED BY {name}",
)


@pytest.mark.parametrize(
    ("by_hand", "field", "before"),
    [(UNTIL, "valid_until", "2999-01-01 00:00:00+00"), (MEMBER, "member_of", ["pg_monitor", "pg_read_all_data"])],
)
def test_what_an_owner_got_by_hand_is_taken(server: Server, by_hand: t.Any, field: str, before: t.Any) -> None:
    name, keeper = unique("one"), unique("keeper")
    row = {"name": name, "password": PASSWORD}
    server.run(row)
    for statement in by_hand:
        server.sql("postgres", statement.format(name=quote(name), keeper=quote(keeper)))
    planned, done = server.run(row, check=True), server.run(row)
    assert planned["configured"] == done["configured"] == [f"role {name}"], done
    assert planned["diff"] == done["diff"]
    assert planned["diff"]["before"][f"role {name}"][field] == before
    memberships = "SELECT count(*) FROM pg_auth_members WHERE member = quote_ident(current_user)::regrole"
    assert server.sql(name, memberships, name, PASSWORD) == [0]
    assert not server.run(row)["changed"]


def test_a_closed_database_is_opened_and_what_is_in_it_made_as_wanted(server: Server) -> None:
    name, guest, other = unique("closed"), unique("reader"), unique("other")
    rows = [{"name": one, "password": PASSWORD} for one in (name, guest, other)]
    rows[0].update(grants=[{"role": guest, "access": "read"}], extensions=["pg_trgm"])
    server.run(*rows)
    server.sql(name, "CREATE TABLE kept AS SELECT 1 AS a", name, PASSWORD)
    server.sql(name, f"REVOKE SELECT ON kept FROM {quote(guest)}")
    server.sql("postgres", f"GRANT CONNECT ON DATABASE {quote(name)} TO {quote(other)}")
    server.sql("postgres", f"ALTER DATABASE {quote(name)} ALLOW_CONNECTIONS false")
    planned, done = server.run(*rows, check=True), server.run(*rows)
    assert planned["configured"] == done["configured"] == [f"database {name}"], done
    assert planned["diff"] == done["diff"]
    before = planned["diff"]["before"][f"database {name}"]
    assert (before["allow_connections"], before["grants"]) == (False, {guest: "unknown", other: "unknown"})
    assert server.sql(name, "SELECT a FROM kept", guest, PASSWORD) == [1]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        server.sql(name, "SELECT 1", other, PASSWORD)
    assert not server.run(*rows)["changed"]


def test_grants_cover_tables_of_before_and_after_and_are_taken_back(server: Server) -> None:
    name, guest = unique("granted"), unique("reader")
    reader = {"name": guest, "password": PASSWORD}
    server.run({"name": name, "password": PASSWORD}, reader)
    server.sql(name, "CREATE TABLE before AS SELECT 1 AS a", name, PASSWORD)
    for access, writes in (("read", False), ("write", True), ("connect", False)):
        granted = {"name": name, "password": PASSWORD, "grants": [{"role": guest, "access": access}]}
        assert server.run(granted, reader)["configured"] == [f"database {name}"]
        assert not server.run(granted, reader)["changed"]
        server.sql(name, f"CREATE TABLE after_{access} (a int)", name, PASSWORD)
        for table in ("before", f"after_{access}"):
            allowed = {"SELECT": access != "connect", "INSERT": writes}
            found = {
                right: server.sql(name, f"SELECT has_table_privilege('{table}', '{right}')", guest, PASSWORD)
                for right in allowed
            }
            assert found == {right: [value] for right, value in allowed.items()}
    assert server.run({"name": name, "password": PASSWORD}, reader)["changed"]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        server.sql(name, "SELECT 1", guest, PASSWORD)


def test_removal_of_data_needs_to_be_allowed(server: Server) -> None:
    name = unique("precious")
    server.run({"name": name, "password": PASSWORD})
    refused = server.run({"name": name, "state": "absent"})
    assert "set remove_data to true" in refused["msg"]
    assert server.sql(name, "SELECT 1") == [1]


def test_an_owner_of_two_databases_stays_with_the_second(server: Server) -> None:
    first, second = unique("one"), unique("two")
    server.run({"name": first, "password": PASSWORD}, {"name": second, "owner": first, "password": PASSWORD})
    assert server.run({"name": first, "state": "absent", "remove_data": True})["removed"] == [f"database {first}"]
    done = server.run({"name": second, "owner": first, "state": "absent", "remove_data": True})
    assert done["removed"] == [f"database {second}", f"role {first}"]


def test_a_server_that_is_not_there_is_named_and_planned_in_check_mode(server: Server) -> None:
    row = {"name": "shop", "password": PASSWORD}
    assert "the Service" in server.run(row, service="nowhere")["msg"]
    assert "there is no Secret" in server.run(row, login_secret="nothing")["msg"]
    planned = server.run(row, service="nowhere", check=True)
    assert planned["not_verified"] == planned["created"] == ["role shop", "database shop"]
    wrong = server.run(row, login_password="wrong password")
    assert "password authentication failed" in wrong["msg"]
