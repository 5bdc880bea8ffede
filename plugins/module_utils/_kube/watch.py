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

from .client import Client, seconds
from .errors import ApiError, KubeError
from .explain import explained
from .retry import LONGEST_REQUEST, TRANSPORT, pause

Query = t.Mapping[str, t.Union[str, int, bool, None]]
SERVER_SIDE_SECONDS = 240
REFUSED_WITHIN = 10.0  # seconds in which a server that was restarted learns of tokens and roles
AGAIN = (410, 429, 500, 502, 503, 504)


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
        follower = Follower()
        while not self._over.is_set():
            used = self.client.transport
            try:
                self._follow(stream, path, query, follower)
            except (ApiError, *TRANSPORT) as error:
                now = time.monotonic()
                if not isinstance(error, ApiError):
                    self.client.contact.last_fault = now
                recent = now - self.client.contact.last_fault < REFUSED_WITHIN
                # New credentials are had once: when they are refused too, others would not help.
                fresh = follower.refused_since is None and self.client.renewed(error, used)
                wait = follower.delay(error, now, recent or fresh)
                if wait is None:
                    self.events.put(Event(stream, "FAILED", explained(error, used.connection)))
                    return
                self._over.wait(wait)
            except KubeError as error:
                self.events.put(Event(stream, "FAILED", error))
                return

    def _follow(self, stream: t.Hashable, path: str, query: dict[str, t.Any], follower: Follower) -> None:
        """List if that is necessary, then pass the events on until the stream ends."""
        if not follower.version:
            body = self.client.get(path, query)
            follower.version = version_of(body)
            self.events.put(Event(stream, "LISTED", body))
        for event in self._stream(path, {**query, "resourceVersion": follower.version}):
            follower.well()
            if event:
                follower.version = self._pass_on(stream, event)

    def _pass_on(self, stream: t.Hashable, event: dict[str, t.Any]) -> str:
        """Hand an event over; the result is the version to go on from."""
        kind, obj = event.get("type", ""), event.get("object") or {}
        if kind == "ERROR":
            raise ApiError(int(obj.get("code") or 500), obj)
        version = version_of(obj)
        if kind != "BOOKMARK":
            self.events.put(Event(stream, kind, obj))
        return version

    def _stream(self, path: str, query: dict[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
        """An empty event when the server has agreed, then the events of one stream until the server closes it."""
        full = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": SERVER_SIDE_SECONDS}
        connection = self.client.transport.open(timeout=SERVER_SIDE_SECONDS + 30)
        self._open.add(connection)
        try:
            target = self.client.transport.prefix + path + "?" + urlencode(full)
            connection.request("GET", target, None, self.client.headers())
            answer = connection.getresponse()
            if answer.status >= 400:
                raise ApiError(answer.status, decoded(answer.read()), seconds(answer.headers.get("Retry-After")))
            yield {}
            while not self._over.is_set():
                line = answer.readline()
                if not line.endswith(b"\n"):
                    return  # closed, perhaps in the middle of an event
                yield event_of(line)
        finally:
            self._open.discard(connection)
            connection.close()


class Follower:
    """What a stream remembers from one connection to the next."""

    def __init__(self) -> None:
        self.version = ""  # to go on from; empty: list first
        self.attempt = 0
        self.worked = False
        self.refused_since: float | None = None

    def well(self) -> None:
        """The server answers."""
        self.attempt, self.worked, self.refused_since = 0, True, None

    def delay(self, error: Exception, now: float, recently_down: bool) -> float | None:
        """The pause before the next attempt, or None when there should be none."""
        if isinstance(error, ApiError):
            if error.status in (401, 403):
                if not self.may_pass(error, now, recently_down):
                    return None
            elif error.status not in AGAIN:
                return None
            elif error.status != 429:
                self.version = ""
        self.attempt += 1
        asked = error.retry_after if isinstance(error, ApiError) else None
        return pause(self.attempt - 1) if asked is None else min(asked, LONGEST_REQUEST)

    def may_pass(self, error: ApiError, now: float, recently_down: bool) -> bool:
        """Whether a refusal comes from a server that has just started: it knows no tokens and roles for a moment."""
        if self.refused_since is None:
            self.refused_since = now
        # Who may list may not always watch: 403 is final when the stream never worked.
        known = self.worked or recently_down or (error.status == 401 and bool(self.version))
        return known and now - self.refused_since < REFUSED_WITHIN


def version_of(body: t.Any) -> str:
    """The resourceVersion of an object or list; without one the answer is broken, as one that was cut off."""
    meta = body.get("metadata") if isinstance(body, dict) else None
    version = meta.get("resourceVersion") if isinstance(meta, dict) else None
    if not version:
        raise http.client.HTTPException("an answer without resourceVersion")
    return str(version)


def event_of(line: bytes) -> dict[str, t.Any]:
    """One line of a stream as an event."""
    try:
        event = json.loads(line)
    except ValueError as error:
        raise http.client.IncompleteRead(line) from error
    if not isinstance(event, dict):
        raise http.client.HTTPException("a stream with something that is no event")
    return event


def decoded(data: bytes) -> t.Any:
    """The body of an error, as JSON where it is JSON."""
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def remaining(deadline: float) -> float:
    """The seconds until a deadline."""
    return deadline - time.monotonic()
