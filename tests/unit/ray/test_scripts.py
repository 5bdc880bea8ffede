# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role's scripts say and wait for."""

from __future__ import annotations

import socket
import threading
import typing as t

import pytest
from rendering import script

wait, drain = script("ray_service", "wait"), script("ray_service", "drain")


@pytest.fixture
def server() -> t.Iterator[t.Callable[[list[bytes]], str]]:
    """A server that answers each message with the next of the given ones; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(answers: list[bytes]) -> str:
        def run() -> None:
            connection, _peer = listener.accept()
            with connection:
                for answer in answers:
                    connection.recv(512)
                    connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    listener.close()


def test_a_redis_that_is_well_is_no_trouble(server: t.Callable[[list[bytes]], str]) -> None:
    assert wait.redis_trouble(server([b"+OK\r\n", b"+PONG\r\n"]), "password") == ""


def test_a_wrong_password_is_named(server: t.Callable[[list[bytes]], str]) -> None:
    found = wait.redis_trouble(server([b"-WRONGPASS invalid username-password pair\r\n"]), "password")
    assert "refuses the password of its Secret: -WRONGPASS" in found


def test_a_redis_that_loads_is_waited_for(server: t.Callable[[list[bytes]], str]) -> None:
    assert "is not ready: -LOADING" in wait.redis_trouble(server([b"+OK\r\n", b"-LOADING\r\n"]), "password")


def test_a_redis_that_is_away_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert f"Redis at 127.0.0.1:{port} does not answer" in wait.redis_trouble(f"127.0.0.1:{port}", "password")


def test_a_worker_waits_for_its_head_and_a_head_for_redis(server: t.Callable[[list[bytes]], str]) -> None:
    address = server([])
    assert wait.trouble({"FQ_RAY_IP": "head", "RAY_ADDRESS": address}) == ""
    assert wait.trouble({"RAY_ADDRESS": "127.0.0.1:6379"}) == ""


def test_with_a_limit_the_wait_ends_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert wait.main({"RAY_REDIS_ADDRESS": "127.0.0.1:1", "RAY_WAIT_SECONDS": "0"}) == 1
    assert "Redis at 127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(wait.metadata, "version", lambda _name: "2.59.0")
    with pytest.raises(SystemExit):
        wait.main({"RAY_EXPECTED_VERSION": "2.60.0"})
    assert "the image has Ray 2.59.0, but ray_service_ray_version is 2.60.0" in capsys.readouterr().err


def test_an_image_without_ray_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        wait.check_version("2.60.0")
    assert "the image has Ray of no version" in capsys.readouterr().err


def test_a_command_is_in_the_form_of_redis() -> None:
    assert wait.command("AUTH", "pä") == b"*2\r\n$4\r\nAUTH\r\n$3\r\np\xc3\xa4\r\n"


def test_addresses_of_both_families_are_read() -> None:
    assert wait.endpoint("redis:6379") == ("redis", 6379)
    assert wait.endpoint("[fd00::1]:6379") == ("fd00::1", 6379)


def test_a_head_that_is_gone_is_not_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert drain.head_answers(address)
    assert not drain.head_answers(address)
