# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of a pod, against a server with TLS that answers as it is told."""

from __future__ import annotations

import datetime
import http.server
import json
import ssl
import threading
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import pki
from ansible_collections.mlops.platform.plugins.module_utils._ray import AwayError, ConflictError, RayError, patience
from ansible_collections.mlops.platform.plugins.module_utils._ray.in_cluster import Kube

if t.TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.datetime.now(datetime.timezone.utc)
Answer = tuple[int, bytes]


class Server:
    """Gives prepared answers, in turn; a status of 0 hangs up without one."""

    def __init__(self, folder: Path) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.command, self.path, self.headers.get("Authorization")))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = outer.answers.pop(0)
                if status:
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(body)

            do_PATCH = do_GET  # noqa: N815 http.server's names

            def log_message(self, *_arguments: t.Any) -> None:
                """Quiet."""

        ca = pki.new_ca("test", NOW)
        certificate, key = pki.new_leaf(pki.Leaf("server", "server", None, ("127.0.0.1",)), *ca, NOW)
        for name, content in {"ca.crt": ca[0], "server.pem": certificate + key, "token": b"secret\n"}.items():
            (folder / name).write_bytes(content)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        port = str(self.http.server_port)
        self.kube = Kube({"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}, folder)


@pytest.fixture
def server(tmp_path: Path) -> t.Iterator[Server]:
    found = Server(tmp_path)
    threading.Thread(target=found.http.serve_forever, daemon=True).start()
    yield found
    found.http.shutdown()
    found.http.server_close()


def test_an_object_is_read_with_the_pods_token(server: Server) -> None:
    server.answers = [(200, b'{"a": 1}'), (404, b"{}")]
    assert server.kube.get("/x", {"limit": 1, "none": None}) == {"a": 1}
    assert server.kube.get("/x", {}) is None
    assert server.asked[0] == ("GET", "/x?limit=1", "Bearer secret")


@pytest.mark.parametrize("answer", [(0, b""), (503, b"draining"), (500, b'{"message": "etcd"}'), (429, b"[]")])
def test_what_may_pass_is_told_from_what_stays(server: Server, answer: Answer) -> None:
    server.answers = [answer, (403, b'{"message": "forbidden"}')]
    with pytest.raises(AwayError):
        server.kube.get("/x", {})
    with pytest.raises(RayError, match="refused: forbidden") as caught:
        server.kube.get("/x", {})
    assert not isinstance(caught.value, AwayError)


def test_what_may_pass_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0.01)
    server.answers = [(0, b""), (503, b""), (200, b'{"a": 1}')]
    deadline = float("inf")
    assert patience.patiently(lambda: server.kube.get("/x", {}), deadline) == {"a": 1}


def test_a_collision_is_one(server: Server) -> None:
    server.answers = [(409, b'{"message": "modified"}')]
    with pytest.raises(ConflictError, match="modified"):
        server.kube.patch("/x", {}, {"spec": {}})


def test_a_watch_gives_what_changed(server: Server) -> None:
    events = [{"type": "ADDED", "object": {"n": 1}}, {"type": "BOOKMARK", "object": {}}]
    lines = "".join(json.dumps(event) + "\n" for event in events).encode()
    server.answers = [(200, lines)]
    assert list(server.kube.watch("/x", {}, 3)) == [{"n": 1}]
    assert "watch=true&timeoutSeconds=3" in server.asked[0][1]


EXPIRED = json.dumps({"type": "ERROR", "object": {"code": 410}}).encode() + b"\n"


@pytest.mark.parametrize("answer", [(403, b"{}"), (0, b""), (200, EXPIRED), (200, b"no event\n")])
def test_a_watch_that_is_refused_is_not_asked_for_again_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", pauses.append)
    server.answers = [answer]
    assert list(server.kube.watch("/x", {}, 3)) == []
    assert pauses == [patience.PAUSE]
