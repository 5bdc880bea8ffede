# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Requests to an MLflow server with nothing but the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import typing as t
from urllib.parse import urlencode, urlsplit

from . import MlflowError, NotThereError

TIMEOUT = 60
Json = dict[str, t.Any]


class Address(t.NamedTuple):
    """Where the server listens; tls is None for plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    prefix: str = ""


class RefusedError(MlflowError):
    """The server answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"MLflow: {message} ({code or status})")
        self.status = status
        self.code = code


class Login(t.NamedTuple):
    """A user who signs in."""

    username: str
    password: str


def address(endpoint: str, ca_file: str | None = None) -> Address:
    """The address that a URL names."""
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not parts.hostname or not port:
        raise MlflowError(f"endpoint: '{endpoint}' is not an address; write http://host:port or https://host:port")
    return Address(parts.hostname, port, tls(ca_file) if parts.scheme == "https" else None, parts.path.rstrip("/"))


def tls(ca_file: str | None = None, check: bool = True) -> ssl.SSLContext:
    """The TLS settings."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MlflowError(f"ca_file: {ca_file} cannot be used: {error}") from error
    if not check:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """An MLflow server, asked by one user over one connection."""

    def __init__(self, where: Address, login: Login) -> None:
        self.where = where
        self.login = login
        host, port = where.host, where.port
        self.connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=where.tls)
            if where.tls
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        )

    def signed_in(self, login: Login) -> Client:
        """The same server for another user."""
        return Client(self.where, login)

    def request(self, method: str, name: str, **fields: t.Any) -> Json:
        """Call one function of the user API."""
        return self.call(method, f"users/{name}", **fields)

    def file_of_model(self, name: str, version: str, path: str) -> str:
        """The text of a file of one version of a registered model."""
        query = urlencode({"name": name, "version": version, "path": path})
        target = f"{self.where.prefix}/model-versions/get-artifact?{query}"
        status, content = self._send("GET", target, None, self._headers())
        if status >= http.client.BAD_REQUEST:
            answer(status, content)
        return content.decode("utf-8", "replace")

    def call(self, method: str, function: str, /, **fields: t.Any) -> Json:
        """Call one function of the API."""
        path = f"{self.where.prefix}/api/2.0/mlflow/{function}"
        headers = {**self._headers(), "Accept": "application/json"}
        body = None
        if method == "GET" and fields:
            path += f"?{urlencode(fields)}"
        elif fields:
            body = json.dumps(fields).encode()
            headers["Content-Type"] = "application/json"
        status, content = self._send(method, path, body, headers)
        return answer(status, content)

    def _headers(self) -> dict[str, str]:
        token = base64.b64encode(f"{self.login.username}:{self.login.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise NotThereError(f"MLflow does not answer: {error}") from error

    def account(self) -> Json | None:
        """This user's own account; None when the server does not take the password, or knows no such user."""
        try:
            return t.cast("Json", self.request("GET", "get", username=self.login.username)["user"])
        except RefusedError as error:
            if error.status == http.client.UNAUTHORIZED:
                return None
            raise


def answer(status: int, content: bytes) -> Json:
    """The JSON of an answer, or its error as one sentence."""
    text = content.decode("utf-8", "replace")
    try:
        fields = json.loads(text) if text else {}
    except ValueError:
        fields = {}
    if status < http.client.BAD_REQUEST:
        return t.cast("Json", fields)
    code, message = str(fields.get("error_code") or ""), str(fields.get("message") or text.strip()[:300])
    if status == http.client.FORBIDDEN and "Host header" in message:
        message = "the server does not know itself by this name; add the name to its allowed hosts"
    raise RefusedError(status, code, message or "no reason given")
