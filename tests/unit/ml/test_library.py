# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library's parts that need no MLflow: calls over real HTTP, zips, settings."""

from __future__ import annotations

import datetime
import http.server
import io
import json
import threading
import typing as t
import zipfile
from pathlib import Path

import pytest
from mlops import calling, code, deploying, settings
from mlops_ray import RayError
from mlops_ray.deploy import Done
from mlops_ray.service import Service


class Server:
    """A real HTTP server that gives prepared answers, in turn; a status of 0 hangs up without one."""

    def __init__(self, *answers: tuple[int, t.Any]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, t.Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                outer.requests.append((self.path, json.loads(self.rfile.read(length) or b"null")))
                status, body = outer.answers.pop(0)
                if status:
                    content = body if isinstance(body, bytes) else json.dumps(body).encode()
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST  # noqa: N815 http.server's names

            def log_message(self, *_arguments: t.Any) -> None:
                """Quiet."""

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/base"

    def __enter__(self) -> Server:
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.shutdown()
        self.http.server_close()


def test_rows_are_asked_and_answered() -> None:
    with Server((200, {"predictions": [1]})) as server:
        assert calling.call("iris", [{"a": 1}], {"top": 2}, url=server.url) == [1]
    assert server.requests == [("/base/iris/predict", {"dataframe_records": [{"a": 1}], "params": {"top": 2}})]


@pytest.mark.parametrize("fault", [(0, None), (503, "draining"), (502, "")])
def test_a_worker_that_goes_away_costs_one_retry(fault: tuple[int, t.Any]) -> None:
    with Server(fault, (200, {"predictions": [1]})) as server:
        assert calling.call("iris", [[1]], url=server.url) == [1]
    assert len(server.requests) == 2


def test_a_refused_request_is_not_sent_again_and_names_the_field() -> None:
    detail = [{"loc": ["body", "inputs", 0, "width"], "msg": "must be a number"}]
    with Server((422, {"detail": detail})) as server, pytest.raises(calling.CallError) as caught:
        calling.call("iris", [{"width": "x"}], url=server.url)
    assert (caught.value.status, caught.value.detail, len(server.requests)) == (422, detail, 1)
    assert "body.inputs.0.width must be a number" in str(caught.value)


def test_an_unknown_model_and_a_silent_server_are_told_apart() -> None:
    with Server((404, {"detail": "Not Found"})) as server, pytest.raises(calling.CallError, match="deploy it first"):
        calling.call("iris", [[1]], url=server.url)
    with pytest.raises(calling.CallError, match="no model server answers") as caught:
        calling.call("iris", [[1]], url=server.url)
    assert caught.value.status is None


def test_a_model_is_asked_by_its_name_and_a_route_as_it_is() -> None:
    with Server(*[(200, {"predictions": [1]})] * 3) as server:
        for name in ("Credit v1.2", "/v1.2", "team/iris"):
            calling.call(name, [[1]], url=server.url)
    assert [path for path, _body in server.requests] == [
        "/base/Credit-v1-2/predict",
        "/base/v1.2/predict",
        "/base/team/iris/predict",
    ]


@pytest.mark.parametrize("content", [b"<html>a proxy</html>", b"[1]", b'{"risks": [1]}'])
def test_an_answer_that_has_no_predictions_is_explained(content: bytes) -> None:
    with Server((200, content)) as server, pytest.raises(calling.CallError, match=r"^iris: .*(predictions|no model)"):
        calling.call("iris", [[1]], url=server.url)


@pytest.mark.parametrize("url", ["ray-serve:8000", "http://", "ftp://x", "http://x:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RayError, match=r"^MLOPS_SERVE_URL: "):
        calling.call("iris", [[1]], url=url)


def test_an_address_with_tls_is_not_asked_without() -> None:
    with Server((200, {"predictions": [1]})) as server, pytest.raises(calling.CallError) as caught:
        calling.call("iris", [[1]], url=server.url.replace("http:", "https:"), timeout=1, retries=0)
    assert (caught.value.status, server.requests) == (None, [])


@pytest.mark.parametrize("detail", [["no"], [{"msg": "no"}], [{"loc": "x", "msg": "no"}]])
def test_a_refusal_in_a_form_of_its_own_is_shown(detail: list[t.Any]) -> None:
    with Server((422, {"detail": detail})) as server, pytest.raises(calling.CallError, match="no"):
        calling.call("iris", [[1]], url=server.url)


def test_numbers_reach_the_model_as_they_are() -> None:
    with Server((200, {"predictions": [1]})) as server:
        calling.call(
            "iris", Frame([[0.1 + 0.2, datetime.datetime(2026, 1, 31, 0, 0, 0, 5), float("nan")]]), url=server.url
        )
    assert server.requests[0][1]["dataframe_split"]["data"] == [[0.1 + 0.2, "2026-01-31T00:00:00.000005", None]]


class Frame:
    """What of a DataFrame is used."""

    columns = ("width", "when", "count")

    def __init__(self, rows: list[t.Any]) -> None:
        self.rows = rows

    def to_dict(self, orient: str, index: bool) -> dict[str, t.Any]:
        assert (orient, index) == ("split", False)
        return {"columns": list(self.columns), "data": self.rows}


def test_an_application_is_shut_down_by_its_models_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def remove(_service: t.Any, name: str, _options: t.Any) -> Done:
        names.append(name)
        return Done(True, None, None)

    monkeypatch.setattr(deploying, "remove", remove)
    service = Service(t.cast("t.Any", None), "mlops", "ray")
    assert deploying.undeploy("Credit v1.2", on=service)
    assert deploying.undeploy("iris_v2", on=service)
    assert names == ["Credit-v1-2", "iris_v2"]


def test_metadata_is_read() -> None:
    with Server((200, {"model": "iris"})) as server:
        assert calling.metadata("/iris", url=server.url) == {"model": "iris"}
    assert server.requests[0][0] == "/base/iris/metadata"


def made(folder: Path) -> Path:
    (folder / "pack" / "__pycache__").mkdir(parents=True)
    (folder / "pack" / "__init__.py").write_text("X = 1\n")
    (folder / "pack" / "__pycache__" / "x.pyc").write_text("no")
    (folder / ".hidden").write_text("no")
    return folder


class Store:
    """Remembers what is stored."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 boto3's names
        self.objects[Bucket, Key] = Body


def test_code_is_stored_under_its_content(tmp_path: Path) -> None:
    store = Store()
    folder = made(tmp_path / "one")
    first = code.upload_code(folder, "risk", to="s3://bucket/code/", store=store)
    (folder / "pack" / "__init__.py").touch()
    assert code.upload_code(folder, "risk", to="s3://bucket/code", store=store) == first
    (folder / "pack" / "__init__.py").write_text("X = 2\n")
    assert code.upload_code(folder, "risk", to="s3://bucket/code", store=store) != first
    content = store.objects["bucket", first.removeprefix("s3://bucket/")]
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["code/pack/__init__.py"]


@pytest.mark.parametrize("to", ["/tmp/x", "http://x/y", "s3://"])
def test_an_address_that_is_no_bucket_is_refused(tmp_path: Path, to: str) -> None:
    with pytest.raises(RayError, match=r"^MLOPS_CODE_URL: "):
        code.upload_code(made(tmp_path), "risk", to=to, store=Store())


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RayError, match=r"^folder: "):
        code.upload_code(tmp_path, "risk", to="s3://bucket", store=Store())


def test_the_environment_wins_over_the_defaults(tmp_path: Path) -> None:
    assert settings.read({}, tmp_path) == settings.Settings("mlops", "ray", "http://ray-serve:8000", "enforce", "")
    (tmp_path / "namespace").write_text("team\n")
    assert settings.read({}, tmp_path).namespace == "team"
    found = settings.read({"MLOPS_NAMESPACE": "other", "MLOPS_SERVE_URL": "http://x:1/"}, tmp_path)
    assert (found.namespace, found.serve_url) == ("other", "http://x:1")
