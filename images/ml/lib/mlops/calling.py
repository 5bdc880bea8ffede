# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a deployed model."""

from __future__ import annotations

import http.client
import json
import typing as t
from urllib.parse import SplitResult, quote, urlsplit

from mlops_ray import RayError, model
from mlops_serving import result

from . import settings

RETRIED = (502, 503, 504)  # a worker that goes away; the next one answers


class CallError(Exception):
    """The model did not answer with a prediction; ``status`` is None where nothing answered."""

    def __init__(self, message: str, status: int | None = None, detail: t.Any = None) -> None:
        super().__init__(message)
        self.status, self.detail = status, detail


def call(name: str, rows: t.Any, params: t.Mapping[str, t.Any] | None = None, **options: t.Any) -> list[t.Any]:
    """The predictions for rows: a DataFrame, a list of dictionaries, or an array.

    name: of the application or its model; a route of its own is written with its first /.
    Options: ``timeout`` in seconds, ``retries`` when no worker answers, ``url`` of the server, ``path``.
    """
    document = {**body(rows), **({"params": dict(params)} if params else {})}
    answer = _asked("POST", name, options.pop("path", "/predict"), result.encode(document), **options)
    if not isinstance(answer, dict) or "predictions" not in answer:
        raise CallError(f"{name}: the answer has no 'predictions'; ask an application that gives other answers by HTTP")
    return t.cast("list[t.Any]", answer["predictions"])


def metadata(name: str, **options: t.Any) -> dict[str, t.Any]:
    """What the deployed model says of itself."""
    return t.cast("dict[str, t.Any]", _asked("GET", name, "/metadata", None, **options))


def body(rows: t.Any) -> dict[str, t.Any]:
    """The request for rows of any kind."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        return {"dataframe_split": rows.to_dict(orient="split", index=False)}
    if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
        return {"dataframe_records": rows}
    return {"inputs": rows.tolist() if hasattr(rows, "tolist") else rows}


def _asked(
    method: str, name: str, path: str, content: bytes | None, timeout: float = 30, retries: int = 1, url: str = ""
) -> t.Any:
    server = _server(url or settings.read().serve_url)
    target = quote(f"{server.path.rstrip('/')}/{_route(name)}{path}", safe="/~%?=&")
    last = ""
    for _attempt in range(retries + 1):
        try:
            status, text = _sent(server, method, target, content, timeout)
        except (OSError, http.client.HTTPException) as error:
            last, status = str(error) or type(error).__name__, None
            continue
        if status == 200:
            return _read(name, text)
        last = text
        if status not in RETRIED:
            break
    raise CallError(*_explained(name, target, status, last))


def _server(url: str) -> SplitResult:
    try:
        found = urlsplit(url)
        if found.scheme in ("http", "https") and found.hostname and found.port != 0:
            return found
    except ValueError:
        pass
    raise RayError(
        f"MLOPS_SERVE_URL: {url!r} is not of the form http://host:port; correct it, or url where it is given"
    )


def _route(name: str) -> str:
    """A model's name may have characters that the name of its application has not; a route is taken as it is."""
    return name.strip("/") if "/" in name else model.application_name(name)


def _read(name: str, text: str) -> t.Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CallError(f"{name}: what answers is no model: {text[:200]!r}", 200) from error


def _sent(server: SplitResult, method: str, target: str, content: bytes | None, timeout: float) -> tuple[int, str]:
    kind = http.client.HTTPSConnection if server.scheme == "https" else http.client.HTTPConnection
    connection = kind(server.hostname or "", server.port, timeout=timeout)
    try:
        connection.request(method, target, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _explained(name: str, target: str, status: int | None, text: str) -> tuple[str, int | None, t.Any]:
    if status is None:
        return f"{name}: no model server answers: {text}", None, None
    try:
        detail = json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        detail = text.strip()
    if status == 404:
        return f"{name}: no model answers at {target}; deploy it first", status, detail
    if status == 422 and isinstance(detail, list):
        found = "; ".join(_problem(item) for item in detail)
        return f"{name}: the model does not take this: {found}", status, detail
    return f"{name}: the model answered {status}: {detail}", status, detail


def _problem(item: t.Any) -> str:
    """Code of one's own may say it in a form of its own."""
    if isinstance(item, dict) and isinstance(item.get("loc"), list):
        return f"{'.'.join(str(part) for part in item['loc'])} {item.get('msg')}"
    return str(item)
