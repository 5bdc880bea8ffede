# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job of MLflow's databases stops the servers: with an API server that fails, and one that has nothing to stop."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import ssl
import threading
import typing as t
import urllib.error
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rendering import script

from ansible_collections.mlops.platform.plugins.module_utils._lab import pki

migrate = script("mlflow", "migrate")

DEPLOYMENT = "/apis/apps/v1/namespaces/ns/deployments/mlflow"
PODS = "/api/v1/namespaces/ns/pods"


class Api(http.server.ThreadingHTTPServer):
    """Pods that end one after the other, each seen by a watch, and what goes wrong on the way."""

    def __init__(self, pods: int, deployment: bool = True, faults: t.Sequence[int] = (), evicted: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.evicted = evicted
        self.pods, self.deployment, self.faults = pods, deployment, list(faults)
        self.requests: list[tuple[str, str, t.Any]] = []

    def answer(self, method: str, path: str, query: t.Mapping[str, list[str]]) -> tuple[int, t.Any]:
        """Status and body of one request."""
        if self.faults:
            return self.faults.pop(0), {}
        if method == "PATCH":
            return (200, {"kind": "Scale"}) if self.deployment else (404, {})
        assert path == PODS
        assert query["labelSelector"] == ["app.kubernetes.io/name=mlflow"]
        if "watch" in query:
            assert query["resourceVersion"] == [str(self.pods)]
            assert int(query["timeoutSeconds"][0]) > 0, "a change that the watch misses is seen after a while"
            self.pods -= 1
            return 200, {"type": "DELETED"}
        over = self.evicted if "status.phase!=Failed" not in query.get("fieldSelector", [""])[0].split(",") else 0
        return 200, {"metadata": {"resourceVersion": str(self.pods)}, "items": [{}] * (self.pods + over)}


class Answers(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Api

    def do_GET(self) -> None:
        self._answer(None)

    def do_PATCH(self) -> None:
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: t.Any) -> None:
        assert self.headers["Authorization"] == "Bearer token-of-the-job"
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.server.requests.append((self.command, url.path + ("?watch" if "watch" in query else ""), body))
        status, answer = self.server.answer(self.command, url.path, query)
        content = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: t.Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The account of the Job's pod, with the CA of the API server, whose certificate and key lie beside."""
    now = dt.datetime.now(dt.timezone.utc)
    ca, ca_key = pki.new_ca("kubernetes", now)
    files = (ca, *pki.new_leaf(pki.Leaf("api", "kube-apiserver", None, ("127.0.0.1",)), ca, ca_key, now))
    for name, content in zip(("ca.crt", "tls.crt", "tls.key"), files, strict=True):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "token").write_text("token-of-the-job")
    monkeypatch.setattr(migrate, "ACCOUNT", tmp_path)
    return tmp_path


@pytest.fixture
def drain(account: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[[Api], None]]:
    """Stop the servers by the API that is given."""
    running: list[Api] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "tls.crt", account / "tls.key")

    def run(api: Api) -> None:
        running.append(api)
        api.socket = context.wrap_socket(api.socket, server_side=True)
        threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.server_address[1]))
        migrate.Cluster("ns", "mlflow").drain("app.kubernetes.io/name=mlflow")

    yield run
    for api in running:
        api.shutdown()
        api.server_close()


def test_the_servers_are_scaled_to_nothing_and_the_last_one_is_awaited(
    drain: t.Callable[[Api], None], capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(pods=2)
    drain(api)
    watched = [("GET", PODS, None), ("GET", f"{PODS}?watch", None)]
    assert api.requests == [
        ("PATCH", f"{DEPLOYMENT}/scale", {"spec": {"replicas": 0}}),
        *watched,
        *watched,
        ("GET", PODS, None),
    ]
    assert "the servers are stopped for the time of the migration" in capsys.readouterr().out


def test_without_servers_nothing_is_said_and_nothing_awaited(
    drain: t.Callable[[Api], None], capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(pods=0, deployment=False)
    drain(api)
    assert [request[0] for request in api.requests] == ["PATCH", "GET"]
    assert capsys.readouterr().out == ""


def test_servers_of_a_deployment_that_is_gone_are_awaited_too(drain: t.Callable[[Api], None]) -> None:
    api = Api(pods=1, deployment=False)
    drain(api)
    assert api.pods == 0


def test_a_pod_that_was_evicted_and_stays_listed_is_not_awaited(drain: t.Callable[[Api], None]) -> None:
    api = Api(pods=1, evicted=2)
    drain(api)
    assert api.pods == 0


def test_an_api_server_that_never_answers_ends_the_job(
    drain: t.Callable[[Api], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    class Silent(Api):
        def answer(self, method: str, path: str, query: t.Mapping[str, list[str]]) -> tuple[int, t.Any]:
            if "watch" in query:
                ended.wait(60)
            return super().answer(method, path, query)

    monkeypatch.setattr(migrate, "ANSWER", 0.2)
    with pytest.raises(TimeoutError):
        drain(Silent(pods=1))
    ended.set()


@pytest.mark.parametrize("status", [403, 409, 500, 503])
def test_servers_that_cannot_be_stopped_end_the_job_before_it_migrates(
    drain: t.Callable[[Api], None], capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """The Job runs again after such an end; its servers would work on a schema that changes under them otherwise."""
    api = Api(pods=1, faults=[status])
    with pytest.raises(urllib.error.HTTPError) as error:
        drain(api)
    assert error.value.code == status
    assert len(api.requests) == 1
    assert capsys.readouterr().out == ""


def test_a_list_that_fails_is_not_taken_for_an_empty_one(drain: t.Callable[[Api], None]) -> None:
    class Failing(Api):
        def answer(self, method: str, path: str, query: t.Mapping[str, list[str]]) -> tuple[int, t.Any]:
            return (500, {}) if method == "GET" else super().answer(method, path, query)

    with pytest.raises(urllib.error.HTTPError):
        drain(Failing(pods=1))
