# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The passwords of a Redis user: a small client, and what a server should accept."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import socket
import ssl
import typing as t

from ._kube.errors import KubeError
from ._tunnel import NoPodError, reach

Params = t.Mapping[str, t.Any]
Reply = t.Union[str, int, list[t.Any], None]
TIMEOUT = 15
REFUSED = ("WRONGPASS", "NOAUTH", "NOPERM")


class RedisError(Exception):
    """One readable sentence for the user."""


class NotThereError(RedisError):
    """The server is not there: in check mode it may yet come."""


class RefusedError(RedisError):
    """The server refuses the password."""


class Client:
    """A connection to a Redis server that sends one command at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = connection.makefile("rb")

    def command(self, *words: str) -> Reply:
        """The reply to a command."""
        parts = [word.encode() for word in words]
        lines = [b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)]
        try:
            self._socket.sendall(b"".join(lines))
            return self._reply()
        except OSError as error:
            raise NotThereError(f"Redis does not answer: {error}") from error

    def _reply(self) -> Reply:
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise NotThereError("Redis does not answer: it closed the connection")
        kind, text = chr(line[0]), line[1:-2].decode()
        if kind == "-":
            raise (RefusedError if text.startswith(REFUSED) else RedisError)(f"Redis: {text}")
        if kind == ":":
            return int(text)
        if kind == "$":
            return None if text == "-1" else self._reader.read(int(text) + 2)[:-2].decode()
        if kind == "*":
            return [self._reply() for _ in range(int(text))]
        return text


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which passwords the server accepts now and afterwards, as hashes."""

    before: frozenset[str]
    after: frozenset[str]

    @property
    def rules(self) -> list[str]:
        """The rules of ACL SETUSER that make the change; new passwords come before old ones go."""
        return [f"#{item}" for item in sorted(self.after - self.before)] + [
            f"!{item}" for item in sorted(self.before - self.after)
        ]


def plan(accepted: t.Iterable[str], password: str, exclusive: bool) -> Plan:
    """Add the password, and end all others if only it may be valid."""
    before, newest = frozenset(accepted), frozenset({digest(password)})
    return Plan(before, newest if exclusive else before | newest)


def digest(password: str) -> str:
    """A password as Redis keeps it."""
    return hashlib.sha256(password.encode()).hexdigest()


def accepted_by(client: Client, user: str) -> list[str]:
    """The hashes of the passwords of a user."""
    found = client.command("ACL", "GETUSER", user)
    if not isinstance(found, list):
        raise RedisError(f"Redis has no user '{user}'; give the name of one that exists")
    return list(dict(zip(found[::2], found[1::2]))["passwords"])


def sign_in(client: Client, user: str, passwords: t.Sequence[str]) -> None:
    """Sign in with the first password that is valid."""
    for password in passwords:
        with contextlib.suppress(RefusedError):
            client.command("AUTH", user, password)
            return
    raise RefusedError(
        f"Redis refuses user '{user}' with the password and with {len(passwords) - 1} previous ones: give the one that"
        " is valid in previous_passwords, or restart the server, which then takes the new one from its Secret"
    )


@contextlib.contextmanager
def connect(params: Params) -> t.Iterator[Client]:
    """A client through the API server or to the given endpoint."""
    try:
        with (
            reach(params, params["namespace"], params["service"], params["port"], params.get("endpoint")) as address,
            _connection(address.host, address.port, params) as connection,
        ):
            yield Client(connection)
    except NoPodError as error:
        raise NotThereError(str(error)) from error
    except KubeError as error:
        raise RedisError(str(error)) from error


def _connection(host: str, port: int, params: Params) -> socket.socket:
    try:
        plain = socket.create_connection((host, port), timeout=TIMEOUT)
        if not params["tls"]:
            return plain
        context = ssl.create_default_context(cafile=params.get("ca_file"))
        # The API server vouches for the other end of a port-forward; the certificate has not its local name.
        if not params.get("endpoint"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=host)
    except (OSError, ssl.SSLError) as error:
        raise NotThereError(f"Redis does not answer: {error}") from error


def manage(
    params: Params, check_mode: bool, way: t.Callable[[Params], contextlib.AbstractContextManager[Client]]
) -> dict[str, t.Any]:
    """Make the server accept the wanted passwords, or say what that would change."""
    user, password = params["user"], params["password"]
    try:
        with way(params) as client:
            sign_in(client, user, [password, *(params.get("previous_passwords") or [])])
            decided = plan(accepted_by(client, user), password, params["exclusive"])
            if decided.rules and not check_mode:
                client.command("ACL", "SETUSER", user, *decided.rules)
                client.command("ACL", "SAVE")
    except NotThereError as error:
        if not check_mode:
            raise
        return {**_result(plan([], password, True), password), "not_verified": [user], "reason": str(error)}
    return {**_result(decided, password), "not_verified": []}


def _result(decided: Plan, password: str) -> dict[str, t.Any]:
    newest = digest(password)
    sides = [{"newest": newest in side, "others": len(side - {newest})} for side in (decided.before, decided.after)]
    return {
        "changed": bool(decided.rules),
        "others": sides[1]["others"],
        "diff": {"before": sides[0], "after": sides[1]},
    }
