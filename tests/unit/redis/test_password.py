"""What redis_password decides, and how it talks to a server."""

from __future__ import annotations

import contextlib
import socket
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._redis import (
    Client,
    NotThereError,
    RedisError,
    RefusedError,
    digest,
    manage,
    plan,
)

OLD, NEW = "the old password", "the new password"
PARAMS = {"user": "default", "password": NEW, "previous_passwords": [OLD], "exclusive": False}


class Server:
    """A server of passwords: what it accepts, and the commands that it got."""

    def __init__(self, *passwords: str) -> None:
        self.hashes = [digest(password) for password in passwords]
        self.commands: list[tuple[str, ...]] = []

    def command(self, *words: str) -> t.Any:
        self.commands.append(words)
        if words[0] == "AUTH" and digest(words[2]) not in self.hashes:
            raise RefusedError("Redis: WRONGPASS")
        if words[:2] == ("ACL", "GETUSER"):
            return ["flags", ["on"], "passwords", list(self.hashes), "commands", "+@all"]
        if words[:2] == ("ACL", "SETUSER"):
            self.hashes += [rule[1:] for rule in words[3:] if rule[0] == "#"]
            self.hashes = [item for item in self.hashes if f"!{item}" not in words]
        return "OK"

    def changes(self) -> list[tuple[str, ...]]:
        return [words for words in self.commands if words[:2] in (("ACL", "SETUSER"), ("ACL", "SAVE"))]


def run(server: Server, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    return manage({**PARAMS, **changes}, check_mode, lambda _params: contextlib.nullcontext(t.cast(Client, server)))


def test_a_new_password_is_added_and_the_old_one_stays() -> None:
    server = Server(OLD)
    done = run(server)
    assert (done["diff"]["after"], done["others"]) == ({"newest": True, "others": 1}, 1)
    assert server.hashes == [digest(OLD), digest(NEW)]
    assert server.commands[-1] == ("ACL", "SAVE")
    assert not run(server)["changed"]


def test_the_old_one_ends_when_it_is_told() -> None:
    server = Server(OLD, NEW)
    assert run(server, exclusive=True)["changed"]
    assert server.hashes == [digest(NEW)]
    assert not run(server, exclusive=True)["changed"]


def test_a_check_changes_nothing_and_says_the_same() -> None:
    server = Server(OLD)
    checked = run(server, check_mode=True)
    assert server.changes() == []
    assert checked == run(server)


def test_nothing_but_hashes_is_sent_to_change_it() -> None:
    server = Server(OLD)
    run(server)
    assert NEW not in str(server.changes())


def test_a_server_with_another_password_is_explained() -> None:
    with pytest.raises(RefusedError, match="give the one that is valid in previous_passwords"):
        run(Server("somebody else's"))


def test_in_check_mode_a_server_that_is_not_there_yet_is_no_fault() -> None:
    def nowhere(_params: t.Any) -> t.NoReturn:
        raise NotThereError("the Service mlops/redis does not exist")

    assert manage(PARAMS, True, nowhere)["not_verified"] == ["default"]
    with pytest.raises(NotThereError):
        manage(PARAMS, False, nowhere)


def test_new_passwords_come_before_old_ones_go() -> None:
    assert plan([digest(OLD)], NEW, True).rules == [f"#{digest(NEW)}", f"!{digest(OLD)}"]


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (b"+OK\r\n", "OK"),
        (b":3\r\n", 3),
        (b"$3\r\na\r\n\r\n", "a\r\n"),
        (b"$-1\r\n", None),
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]),
    ],
)
def test_replies_are_read(sent: bytes, reply: t.Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        assert Client(ours).command("ACL", "LIST") == reply
        assert theirs.recv(99) == b"*2\r\n$3\r\nACL\r\n$4\r\nLIST\r\n"


@pytest.mark.parametrize(
    ("sent", "error"), [(b"-ERR no\r\n", RedisError), (b"-NOAUTH\r\n", RefusedError), (b"+O", NotThereError)]
)
def test_faults_are_errors(sent: bytes, error: type[Exception]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(error):
            Client(ours).command("PING")
