# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Watching objects: a LIST, then the stream of changes; a closed stream and 410 Gone are survived."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import threading
import time
import typing as t
from urllib.parse import urlencode

from .client import Client
from .errors import ApiError, KubeError
from .retry import TRANSPORT, pause

Query = t.Mapping[str, t.Union[str, int, bool, None]]
SERVER_SIDE_SECONDS = 240


class Event(t.NamedTuple):
    """A change of one object. A LIST arrives as one LISTED event with all objects."""

    stream: t.Hashable
    type: str  # LISTED, ADDED, MODIFIED, DELETED, FAILED
    object: t.Any


class Watch:
    """Several streams that feed one queue. Leaving the context ends them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._over = threading.Event()
        self._open: set[http.client.HTTPConnection] = set()

    def __enter__(self) -> Watch:
        """Streams are added by follow()."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the streams."""
        self._over.set()
        for connection in list(self._open):
            sock = connection.sock
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def follow(self, stream: t.Hashable, path: str, query: Query) -> None:
        """Begin to watch what a query finds."""
        threading.Thread(target=self._run, args=(stream, path, dict(query)), daemon=True, name=f"watch {path}").start()

    def next(self, timeout: float) -> Event | None:
        """The next event, or None when there is none in time."""
        with contextlib.suppress(queue.Empty):
            return self.events.get(timeout=max(timeout, 0.001))
        return None

    def _run(self, stream: t.Hashable, path: str, query: dict[str, t.Any]) -> None:
        version, attempt = "", 0
        while not self._over.is_set():
            try:
                if not version:
                    body = self.client.get(path, query)
                    version = body["metadata"]["resourceVersion"]
                    self.events.put(Event(stream, "LISTED", body))
                for event in self._stream(path, {**query, "resourceVersion": version}):
                    attempt = 0
                    version = self._pass_on(stream, event)
            except (ApiError, *TRANSPORT) as error:
                if isinstance(error, ApiError) and error.status not in (410, 429, 500, 502, 503, 504):
                    self.events.put(Event(stream, "FAILED", error))
                    return
                version = "" if isinstance(error, ApiError) else version
                self._over.wait(pause(attempt))
                attempt += 1
            except KubeError as error:
                self.events.put(Event(stream, "FAILED", error))
                return

    def _pass_on(self, stream: t.Hashable, event: dict[str, t.Any]) -> str:
        """Hand an event over; the result is the version to go on from."""
        kind, obj = event.get("type", ""), event.get("object") or {}
        if kind == "ERROR":
            raise ApiError(int(obj.get("code") or 500), obj)
        if kind != "BOOKMARK":
            self.events.put(Event(stream, kind, obj))
        return str(obj["metadata"]["resourceVersion"])

    def _stream(self, path: str, query: dict[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
        """The events of one stream, until the server closes it."""
        full = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": SERVER_SIDE_SECONDS}
        connection = self.client.transport.open(timeout=SERVER_SIDE_SECONDS + 30)
        self._open.add(connection)
        try:
            target = self.client.transport.prefix + path + "?" + urlencode(full)
            connection.request("GET", target, None, self.client.headers())
            answer = connection.getresponse()
            if answer.status >= 400:
                raise ApiError(answer.status, decoded(answer.read()))
            while not self._over.is_set():
                line = answer.readline()
                if not line.endswith(b"\n"):
                    return  # closed, perhaps in the middle of an event
                yield json.loads(line)
        finally:
            self._open.discard(connection)
            connection.close()


def decoded(data: bytes) -> t.Any:
    """The body of an error, as JSON where it is JSON."""
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def remaining(deadline: float) -> float:
    """The seconds until a deadline."""
    return deadline - time.monotonic()
