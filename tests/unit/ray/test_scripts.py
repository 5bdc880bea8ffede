# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role's scripts say and wait for."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import types
import typing as t
from pathlib import Path

import pytest
from rendering import ROLES, script

wait, drain = script("ray_service", "wait"), script("ray_service", "drain")


def answer_all(connection: socket.socket, answers: list[bytes]) -> None:
    with connection:
        for answer in answers:
            connection.recv(512)
            connection.sendall(answer)


@pytest.fixture
def server() -> t.Iterator[t.Callable[[list[bytes]], str]]:
    """A server that answers each message with the next of the given ones; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(answers: list[bytes]) -> str:
        def run() -> None:
            with contextlib.suppress(OSError):  # nobody came until the end of the test
                connection, _peer = listener.accept()
                answer_all(connection, answers)

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


@pytest.mark.parametrize("address", ["redis", "redis:port", "[fd00::1]"])
def test_an_address_of_redis_that_is_none_is_named(address: str) -> None:
    assert "is not of the form host:port; correct ray_service_redis_address" in wait.redis_trouble(address, "")


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


class Clock:
    """The time that a script sees; a pause is over at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("head", "asked", "replicas", "limit", "seconds"),
    [
        (True, True, [0], "30", drain.LEAST),  # until kube-proxy has taken it out, though all are handed over
        (True, True, [1] * 25 + [0], "30", drain.LEAST + 25 * 0.2),
        (True, True, [1], "30", 30.0),
        (True, False, [0], "30", drain.WITHOUT_HEAD),
        (False, True, [0], "30", drain.WITHOUT_HEAD),
        (False, True, [0], "4", 4.0),
    ],
)
def test_a_worker_ends_when_its_replicas_are_handed_over(
    monkeypatch: pytest.MonkeyPatch, head: bool, asked: bool, replicas: list[int], limit: str, seconds: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(drain, "time", clock)
    monkeypatch.setattr(drain, "head_answers", lambda _address: head)
    monkeypatch.setattr(drain, "ask_for_drain", lambda _address, _seconds: asked)
    left = iter(replicas)
    monkeypatch.setattr(drain, "replicas", lambda: next(left, replicas[-1]))
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setenv("RAY_DRAIN_SECONDS", limit)
    assert drain.main() == 0
    assert clock.now == pytest.approx(seconds, abs=0.3)


def test_the_replicas_of_this_pod_are_counted() -> None:
    before = drain.replicas()
    command = ["ray::ServeReplica:iris", "-c", "echo runs; read _"]
    replica = subprocess.Popen(command, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        # Before, the kernel may not have its name yet.
        assert replica.stdout is not None
        assert replica.stdout.readline() == b"runs\n"
        assert drain.replicas() == before + 1
    finally:
        replica.communicate()
    assert drain.replicas() == before


class Node(t.NamedTuple):
    """What Ray tells of a node."""

    node_manager_address: str
    state: int


def ray_of(monkeypatch: pytest.MonkeyPatch, client: t.Any) -> None:
    """Ray's internals, as far as the script uses them."""
    reason = types.SimpleNamespace(Value=lambda name: name)
    parts = {
        "ray": {},
        "ray._raylet": {"GcsClient": client},
        "ray.core": {},
        "ray.core.generated": {"autoscaler_pb2": types.SimpleNamespace(DrainNodeReason=reason)},
        "ray.exceptions": {"RayError": RuntimeError},
    }
    for name, members in parts.items():
        module = types.ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("accepted", [True, False])
def test_the_head_is_told_which_node_will_be_gone(monkeypatch: pytest.MonkeyPatch, accepted: bool) -> None:
    told: list[t.Any] = []

    class Client:
        def __init__(self, address: str) -> None:
            told.append(address)

        def get_all_node_info(self, timeout: float) -> dict[bytes, Node]:
            own = socket.gethostbyname(socket.gethostname())
            return {b"\x01": Node("203.0.113.1", 0), b"\x02": Node(own, 1), b"\x03": Node(own, 0)}

        def drain_node(self, node: str, reason: str, message: str, deadline: int) -> tuple[bool, str]:
            told.extend([node, reason, deadline])
            return accepted, ""

    ray_of(monkeypatch, Client)
    monkeypatch.setattr(drain, "time", Clock())
    assert drain.ask_for_drain("head:6379", 30) is accepted
    assert told == ["head:6379", "03", "DRAIN_NODE_REASON_PREEMPTION", 30000]


def test_another_ray_without_these_internals_is_no_reason_to_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not drain.ask_for_drain("head:6379", 30)
    ray_of(monkeypatch, lambda address: object())
    assert not drain.ask_for_drain("head:6379", 30)
    said = capsys.readouterr().err
    assert "drain: No module named 'ray'" in said
    assert "has no attribute 'get_all_node_info'" in said


@pytest.mark.parametrize(("prefix", "namespace"), [("prod01", "prod01-an-id"), ("", "an-id"), (None, "an-id")])
def test_the_state_of_a_shared_redis_gets_the_clusters_name(tmp_path: Path, prefix: str | None, namespace: str) -> None:
    """The script with a python that has nothing to wait for, and in the place of Ray a command that tells."""
    (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "python").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "KUBERAY_GEN_RAY_START_CMD": "printenv RAY_external_storage_namespace",
        "RAY_external_storage_namespace": "an-id",
        **({"REDIS_KEY_PREFIX": prefix} if prefix is not None else {}),
    }
    done = subprocess.run(
        ["bash", ROLES / "ray_service/files/start.sh"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == namespace


def test_a_head_that_is_gone_is_not_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert drain.head_answers(address)
    assert not drain.head_answers(address)
