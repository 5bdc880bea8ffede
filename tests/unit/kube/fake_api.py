"""An API server that fails on request: a store of objects behind real sockets, with faults in front of it.

It knows just enough of the API for a set to be applied. What the API really does is tested on a real one (tests/e2e).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import http.server
import itertools
import json
import queue
import re
import socket
import struct
import threading
import typing as t
from urllib.parse import parse_qs, urlsplit

Object = dict[str, t.Any]
COLLECTIONS = (
    *("configmaps", "secrets", "deployments", "statefulsets", "daemonsets", "pods", "events", "things"),
    *("replicasets", "controllerrevisions", "persistentvolumeclaims"),
)
DISCOVERY: dict[str, Object] = {
    "/version": {"major": "1", "minor": "34"},
    "/api/v1": {
        "kind": "APIResourceList",
        "resources": [{"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]}],
    },
    "/apis": {"kind": "APIGroupList", "groups": []},
}


@dataclasses.dataclass
class Fault:
    """What goes wrong with the next requests that match."""

    kind: str  # reset, cut, garbage, slow, status
    pattern: str = ""  # of "METHOD path?query"
    times: int = 1
    status: int = 503
    body: Object = dataclasses.field(default_factory=dict)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    after: bool = False  # the request is carried out, only its answer is lost


def fields_of(value: t.Any) -> Object:
    """The field set of an applied object: mappings have parts, all else is one."""
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": fields_of(item) for name, item in value.items()}


class Store:
    """The objects by path, and everybody who watches."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {
            "/api/v1/namespaces/ns": {"metadata": {"name": "ns", "resourceVersion": "0"}}
        }
        self.versions = itertools.count(1)
        self.lock = threading.RLock()
        self.watchers: list[tuple[str, queue.Queue[Object | None]]] = []

    def save(self, path: str, obj: Object, event: str) -> Object:
        """Store an object and tell those who watch."""
        with self.lock:
            obj["metadata"]["resourceVersion"] = str(next(self.versions))
            obj["metadata"].setdefault("uid", f"uid-{next(self.versions)}")
            obj["metadata"].setdefault("generation", 1)
            if event == "DELETED":
                self.objects.pop(path, None)
            else:
                self.objects[path] = obj
            for prefix, events in self.watchers:
                if path.startswith(prefix):
                    events.put({"type": event, "object": copy.deepcopy(obj)})
            return obj

    def apply(self, path: str, body: Object, query: dict[str, str]) -> tuple[int, Object]:
        """Server-side apply by one manager."""
        with self.lock:
            old = self.objects.get(path)
            tracked = {name: value for name, value in body.items() if name not in ("apiVersion", "kind")}
            tracked["metadata"] = {k: v for k, v in body["metadata"].items() if k not in ("name", "namespace")}
            entry = {
                "manager": query["fieldManager"],
                "operation": "Apply",
                "apiVersion": body["apiVersion"],
                "fieldsV1": fields_of(tracked),
            }
            new = copy.deepcopy(body)
            kept = {
                k: v
                for k, v in (old or {}).get("metadata", {}).items()
                if k in ("uid", "generation", "resourceVersion")
            }
            new["metadata"] = {**kept, **new["metadata"], "managedFields": [entry]}
            if "annotations" in (old or {}).get("metadata", {}):
                new["metadata"]["annotations"] = {
                    **(old or {})["metadata"]["annotations"],
                    **new["metadata"].get("annotations", {}),
                }
            if "status" in (old or {}):
                new["status"] = (old or {})["status"]
            if old != new and query.get("dryRun") != "All":
                self.save(path, new, "MODIFIED" if old else "ADDED")
            return (200 if old else 201), new


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_arguments: t.Any) -> None:
        """Tests read the requests, nobody reads a log."""

    def handle_one(self) -> None:
        """Answer a request, or let it fail."""
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.seen.append(f"{self.command} {self.path}")
        self.server.credentials.append(self.headers.get("Authorization") or "")
        fault = self.server.fault(f"{self.command} {self.path}")
        if fault and not fault.after:
            self.fail(fault)
            return
        status, answer = self.answer(parts.path, query, body)
        if fault:
            self.fail(fault)
        elif answer is not None:
            self.send(status, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

    def answer(self, path: str, query: dict[str, str], body: t.Any) -> tuple[int, Object | None]:
        """What a server in good health says."""
        store = self.server.store
        if self.command == "PATCH":
            return store.apply(path, body, query)
        if self.command in ("POST", "PUT"):
            where = path if self.command == "PUT" else f"{path}/{body['metadata']['name']}"
            if self.command == "POST" and where in store.objects:
                return 409, {"kind": "Status", "reason": "AlreadyExists", "message": "already exists"}
            old = store.objects.get(where)
            given = body["metadata"].get("resourceVersion")
            if old and given and given != old["metadata"]["resourceVersion"]:
                return 409, {"kind": "Status", "reason": "Conflict", "message": "the object has been modified"}
            return 201, store.save(where, body, "MODIFIED" if old else "ADDED")
        if self.command == "DELETE":
            if path not in store.objects:
                return 404, {"kind": "Status", "reason": "NotFound", "message": "not found"}
            # As the real one: where there is a body, the query says nothing.
            if body.get("dryRun") == ["All"] if body else query.get("dryRun") == "All":
                return 200, store.objects[path]
            return 200, store.save(path, store.objects[path], "DELETED")
        if query.get("watch") == "true":
            self.stream(path, query)
            return 200, None
        return self.read(path, query)

    def read(self, path: str, query: dict[str, str]) -> tuple[int, Object]:
        """One object, or those of a collection."""
        store = self.server.store
        with store.lock:
            if path in store.objects:
                return 200, copy.deepcopy(store.objects[path])
            if path in DISCOVERY:
                return 200, DISCOVERY[path]
            if path.rpartition("/")[2] in COLLECTIONS:
                return 200, {
                    "metadata": {"resourceVersion": str(next(store.versions))},
                    "items": self.found(path, query),
                }
        return 404, {"kind": "Status", "reason": "NotFound", "message": "not found"}

    def found(self, path: str, query: dict[str, str]) -> list[Object]:
        """The objects of a collection that a label selects; without a namespace in the path, those of all."""
        last = path.rpartition("/")[2]
        name, _, value = query.get("labelSelector", "").partition("=")
        return [
            copy.deepcopy(obj)
            for where, obj in self.server.store.objects.items()
            if where.startswith(path + "/") or ("/namespaces/" not in path and f"/{last}/" in where)
            if not name or (obj["metadata"].get("labels") or {}).get(name) == value
        ]

    def stream(self, path: str, query: dict[str, str]) -> None:
        """A watch, chunked, until the test or the client ends it."""
        events: queue.Queue[Object | None] = queue.Queue()
        with self.server.store.lock:
            # Events between the LIST and now are replayed by the real server; here the newest states stand for them.
            for obj in self.found(path, query):
                if int(obj["metadata"]["resourceVersion"]) > int(query.get("resourceVersion") or 0):
                    events.put({"type": "MODIFIED", "object": obj})
            self.server.store.watchers.append((path, events))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while (event := events.get()) is not None:
                fault = event.pop("fault", "")
                line = json.dumps(event).encode() + b"\n"
                if fault == "close":
                    break
                data = line[: len(line) // 2] if fault == "cut" else b"<html>\n" if fault == "garbage" else line
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
                if fault == "cut":
                    self.abort()
                    return
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def fail(self, fault: Fault) -> None:
        """Let a request fail."""
        if fault.kind == "reset":
            self.abort()
        elif fault.kind == "cut":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"kind": "ConfigMap", "meta')
            self.abort()
        elif fault.kind == "garbage":
            self.send(200, None, b"<html>not the API</html>")
        elif fault.kind == "slow":
            self.server.stopped.wait(fault.seconds)
            self.abort()
        else:
            self.send(fault.status, {"kind": "Status", "code": fault.status, **fault.body}, headers=fault.headers)

    def send(self, status: int, body: Object | None, raw: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send an answer."""
        data = raw or json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def abort(self) -> None:
        """Close the connection with a reset."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


class Server(http.server.ThreadingHTTPServer):
    """The server, its store, and what will go wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = Store()
        self.faults: list[Fault] = []
        self.seen: list[str] = []
        self.credentials: list[str] = []
        self.stopped = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self, request: str) -> Fault | None:
        """The fault for a request, used up."""
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None

    def tell(self, path: str, event: Object) -> None:
        """Send an event of the test's own to those who watch a path."""
        for prefix, events in self.store.watchers:
            if prefix == path:
                events.put(event)

    def handle_error(self, *_arguments: t.Any) -> None:
        """A client that went away is part of the game."""

    @contextlib.contextmanager
    def running(self) -> t.Iterator[Server]:
        """Serve until the context is left."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopped.set()
            for _prefix, events in self.store.watchers:
                events.put(None)
            self.shutdown()
            self.server_close()
