# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A small client of the Kubernetes API: kept-alive connections, several requests at a time, patient with faults."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import http.client
import json
import threading
import time
import typing as t
from urllib.parse import urlencode

from .connection import Connection
from .errors import ApiError
from .explain import explained
from .retry import TRANSPORT, Contact, delay
from .transport import Transport

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")
Query = t.Mapping[str, t.Union[str, int, bool, None]]
POOL = "kube-request"
AGENT = "mlops.platform-kube_set"
STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclasses.dataclass
class Response:
    """What the server answered."""

    status: int
    body: t.Any
    warnings: list[str]

    @property
    def created(self) -> bool:
        """Whether the request made a new object."""
        return self.status == 201


class Client:
    """Sends requests to one API server. Safe to share between threads."""

    def __init__(self, connection: Connection, workers: int = 16) -> None:
        self.workers = workers
        self.transport = Transport(connection)
        self.contact = Contact()
        self.warnings: dict[str, None] = {}
        self._renew = threading.Lock()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        self._wide = False

    def __enter__(self) -> Client:
        """Nothing is opened before the first request."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close all connections."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self.transport.close()

    def each(self, function: t.Callable[[Item], Result], items: t.Sequence[Item]) -> list[Result]:
        """Call the function for all items, several at a time; the first error is raised after all have ended."""
        # A call from one of the pool's own threads must not wait for a free one.
        if len(items) < 2 or threading.current_thread().name.startswith(POOL):
            return [function(item) for item in items]
        pool = self.pool()
        futures = [pool.submit(function, item) for item in items]
        concurrent.futures.wait(futures)
        return [future.result() for future in futures]

    def pool(self) -> concurrent.futures.ThreadPoolExecutor:
        """The threads that send requests: twice as many to a server far away, which has no more to do at a time."""
        far = self.contact.is_far()
        if self._pool and far and not self._wide:
            self._pool.shutdown()
            self._pool = None
        if not self._pool:
            self._wide = far
            self._pool = concurrent.futures.ThreadPoolExecutor(self.workers * (1 + far), thread_name_prefix=POOL)
        return self._pool

    def get(self, path: str, query: Query | None = None) -> t.Any:
        """The body of a GET."""
        return self.request("GET", path, query).body

    def find(self, path: str, query: Query | None = None) -> t.Any:
        """The body of a GET, or None when nothing is there."""
        try:
            return self.get(path, query)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: t.Any = None,
        content_type: str = "application/json",
        retries: bool = True,
    ) -> Response:
        """Send one request; faults that may pass are waited out."""
        payload = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        target = self.transport.prefix + path + ("?" + urlencode(clean(query)) if query else "")
        start, attempt, renewed = time.monotonic(), 0, False
        while True:
            used = self.transport
            try:
                return self._once(method, target, payload, content_type)
            except (ApiError, *TRANSPORT) as error:
                now = time.monotonic()
                if not renewed and self.renewed(error, used):
                    renewed = True
                    continue
                # What names a version that is gone is refused for ever.
                final = not retries or (isinstance(error, ApiError) and error.status == 409 and versioned(body))
                wait = None if final else delay(error, attempt, now - start, self.contact, now, "dryRun=" in target)
                if not isinstance(error, ApiError):
                    self.contact.last_fault = now
                if wait is None:
                    raise explained(error, self.transport.connection) from error
                attempt += 1
                time.sleep(wait)

    def _once(self, method: str, target: str, payload: bytes | None, content_type: str) -> Response:
        headers = self.headers()
        if payload is not None:
            headers["Content-Type"] = content_type
        while True:
            try:
                with self.transport.lease() as (connection, used):
                    begun = time.monotonic()
                    connection.request(method, target, payload, headers)
                    answer = connection.getresponse()
                    data = answer.read()
            except STALE:
                # The server closes idle connections; only a fresh one says whether it is there.
                if not used:
                    raise
                self.contact.last_fault = time.monotonic()
                continue
            self.contact.heard(time.monotonic() - begun, opened=not used)
            return self._decoded(answer, data)

    def _decoded(self, answer: http.client.HTTPResponse, data: bytes) -> Response:
        body = parsed(data, answer.headers.get("Content-Type", ""))
        if answer.status >= 400:
            raise ApiError(answer.status, body, seconds(answer.headers.get("Retry-After")))
        notes = [warning_text(value) for value in answer.headers.get_all("Warning") or []]
        self.warnings.update(dict.fromkeys(notes))
        return Response(answer.status, body, notes)

    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Accept": "application/json", "User-Agent": AGENT, **self.transport.authorization()}

    def renewed(self, error: Exception, used: Transport) -> bool:
        """Whether there are new credentials after a 401: had now, or by another thread since the transport was used."""
        refresh = used.connection.refresh
        if not isinstance(error, ApiError) or error.status != 401 or not refresh:
            return False
        with self._renew:
            if self.transport is used:
                self.transport = Transport(refresh())
                used.close()
        return True


def clean(query: Query) -> dict[str, str | int]:
    """The query without what is not given, booleans in the API's spelling."""
    return {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in query.items()
        if value is not None
    }


def versioned(body: t.Any) -> bool:
    """Whether a request is about one version of an object only."""
    return isinstance(body, dict) and "resourceVersion" in (body.get("metadata") or {})


def parsed(data: bytes, content_type: str) -> t.Any:
    """The body as JSON where it is JSON, else as text."""
    if "json" in content_type:
        try:
            return json.loads(data)
        except ValueError as error:
            # The connection ended in the middle of an answer.
            raise http.client.IncompleteRead(data) from error
    return data.decode("utf-8", "replace")


def seconds(value: str | None) -> float | None:
    """The value of Retry-After; the API servers send seconds only."""
    return float(value) if value and value.isdigit() else None


def warning_text(value: str) -> str:
    """The text of a Warning header: 299 - "text"."""
    start, end = value.find('"'), value.rfind('"')
    return value[start + 1 : end].replace('\\"', '"') if 0 <= start < end else value
