# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The way to a server: who signs in, where, and one connection per database."""

from __future__ import annotations

import base64
import contextlib
import typing as t

from .._kube.errors import ApiError, KubeError
from .._tunnel import NoPodError, client_for, parsed_endpoint, tunnel
from . import NotThereError, PostgresqlError

try:
    import psycopg

    HAS_PSYCOPG = True
except ImportError:
    HAS_PSYCOPG = False

Params = t.Mapping[str, t.Any]
# The password of the Secret may be newer than the server's: it is set when the server starts.
NOT_YET = ("28P01", "57P03", "28000")


class Session:
    """Connections of the administrator, one to each database, opened when they are needed."""

    def __init__(self, **login: t.Any) -> None:
        self._login = login
        self._open: dict[str, psycopg.Connection[tuple[t.Any, ...]]] = {}

    def rows(self, database: str, query: t.Any, values: t.Sequence[t.Any] = ()) -> list[tuple[t.Any, ...]]:
        """The rows of a query."""
        return self._connection(database).execute(query, values or None).fetchall()

    def run(self, database: str, statements: t.Sequence[t.Any], together: bool) -> None:
        """Run statements, in one transaction or one by one."""
        connection = self._connection(database)
        with connection.transaction() if together else contextlib.nullcontext():
            for statement in statements:
                connection.execute(statement)

    def leave(self, database: str) -> None:
        """Close the connection to a database."""
        if database in self._open:
            self._open.pop(database).close()

    def close(self) -> None:
        """Close all connections."""
        for database in list(self._open):
            self.leave(database)

    def _connection(self, database: str) -> psycopg.Connection[tuple[t.Any, ...]]:
        if database not in self._open:
            self._open[database] = psycopg.connect(**self._login, dbname=database, autocommit=True)
        return self._open[database]


@contextlib.contextmanager
def session(params: Params) -> t.Iterator[Session]:
    """A session through the API server or to the given endpoint; errors of the server are PostgresqlErrors."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(contextlib.closing(Session(**_login(params, stack))))
            yield opened
        except NoPodError as error:
            raise NotThereError(str(error)) from error
        except KubeError as error:
            raise PostgresqlError(str(error)) from error
        except psycopg.Error as error:
            raise explained(error) from error


def _login(params: Params, stack: contextlib.ExitStack) -> dict[str, t.Any]:
    login = {
        "user": params["login_user"],
        "password": params.get("login_password"),
        "sslmode": params["ssl_mode"],
        "sslrootcert": params.get("ca_file"),
        "connect_timeout": 10,
        "application_name": "mlops.platform",
        # The session must not depend on the settings of a database or role.
        "options": "-c search_path=pg_catalog -c log_statement=none",
    }
    if params.get("endpoint"):
        address = parsed_endpoint(params["endpoint"])
        if not login["password"]:
            raise PostgresqlError("login_password: an endpoint needs it; give the password of login_user")
    else:
        client = stack.enter_context(client_for(params))
        login["password"] = login["password"] or secret_password(client, params["namespace"], params["login_secret"])
        address = stack.enter_context(tunnel(client, params["namespace"], params["service"], params["port"]))
    return {name: value for name, value in {**login, **address._asdict()}.items() if value}


def secret_password(client: t.Any, namespace: str, name: str) -> str:
    """The key password of a Secret."""
    try:
        secret = client.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except ApiError as error:
        raise PostgresqlError(f"login_secret: Secret {namespace}/{name} cannot be read: {error.message}") from error
    if secret is None:
        raise NotThereError(f"login_secret: there is no Secret {namespace}/{name}: run the role postgresql first")
    encoded = (secret.get("data") or {}).get("password")
    if not encoded:
        raise PostgresqlError(f"login_secret: Secret {namespace}/{name} has no key password; name the right Secret")
    return base64.b64decode(encoded).decode()


def explained(error: psycopg.Error) -> PostgresqlError:
    """The server's own words, on one line."""
    diagnosis = error.diag
    primary = diagnosis.message_primary or str(error).strip() or type(error).__name__
    text = " ".join(" ".join(filter(None, (primary, diagnosis.message_detail, diagnosis.message_hint))).split())
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate in NOT_YET or error.sqlstate is None):
        return NotThereError(f"PostgreSQL: {text}")
    return PostgresqlError(f"PostgreSQL: {text}")
