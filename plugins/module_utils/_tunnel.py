# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A way to a Service inside the cluster: a port-forward through the API server, or an endpoint that was given.

A module takes the options of ``_kube.connection.argument_spec()`` and reaches the Service so::

    with reach(module.params, "mlops", "minio", 9000, endpoint=module.params["endpoint"]) as address:
        talk_to(address.host, address.port)
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import typing as t
from urllib.parse import urlsplit

from ._kube.client import Client
from ._kube.connection import merged
from ._kube.errors import ApiError, KubeError
from ._kube.forward import Channel, Target
from ._kube.kubeconfig import connection_from
from ._kube.resources import KNOWN

CHUNK = 64 * 1024
SERVICE = KNOWN["v1", "Service"]
SLICE = KNOWN["discovery.k8s.io/v1", "EndpointSlice"]


class NoPodError(KubeError):
    """There is no Service, or no ready pod behind it."""


class Address(t.NamedTuple):
    """Where a client connects to."""

    host: str
    port: int


def find_target(client: Client, namespace: str, service: str, port: int | str) -> Target:
    """A ready pod of a Service, and the port that the Service's port leads to."""
    found = client.find(SERVICE.path(namespace, service))
    if found is None:
        raise NoPodError(f"the Service {namespace}/{service} does not exist: install what provides it first")
    name = port_name(found, port)
    query = {"labelSelector": f"kubernetes.io/service-name={service}"}
    slices = client.get(SLICE.path(namespace), query).get("items") or []
    targets = [target for item in slices for target in targets_of(item, name)]
    if not targets:
        raise NoPodError(f"the Service {namespace}/{service} has no ready pod: look why its pods are not ready")
    return targets[0]


def port_name(service: t.Mapping[str, t.Any], port: int | str) -> str:
    """The name of a Service's port that was given by number or name; the name may be empty."""
    ports = [item for item in (service.get("spec") or {}).get("ports") or [] if item.get("protocol", "TCP") == "TCP"]
    for item in ports:
        if port in (item.get("port"), item.get("name")) or str(item.get("port")) == str(port):
            return item.get("name") or ""
    meta = service["metadata"]
    known = ", ".join(f"{item.get('name', '')} {item['port']}".strip() for item in ports) or "none"
    raise KubeError(f"the Service {meta['namespace']}/{meta['name']} has no TCP port {port}; it has: {known}")


def targets_of(endpoint_slice: t.Mapping[str, t.Any], name: str) -> t.Iterator[Target]:
    """The ready pods of an EndpointSlice with the number of the port of that name."""
    numbers = [item["port"] for item in endpoint_slice.get("ports") or [] if (item.get("name") or "") == name]
    for endpoint in endpoint_slice.get("endpoints") or []:
        reference = endpoint.get("targetRef") or {}
        ready = (endpoint.get("conditions") or {}).get("ready", True)
        if numbers and ready and reference.get("kind") == "Pod":
            yield Target(reference["namespace"], reference["name"], numbers[0])


class Tunnel:
    """Listens on a local port and carries each connection to a ready pod of a Service."""

    def __init__(self, client: Client, namespace: str, service: str, port: int | str) -> None:
        self.client = client
        self.service = (namespace, service, port)
        self.target = find_target(client, *self.service)
        self.fault: Exception | None = None  # why the last connection ended early
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[t.Any] = set()
        self._lock = threading.Lock()

    @property
    def address(self) -> Address:
        """The local address."""
        host, port = self._listener.getsockname()[:2]
        return Address(host, port)

    def __enter__(self) -> Tunnel:
        """Begin to accept connections."""
        threading.Thread(target=self._accept, daemon=True, name="tunnel").start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop, and close all connections."""
        self._end(self._listener)
        for item in list(self._open):
            self._end(item)

    def _accept(self) -> None:
        while True:
            try:
                local, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(local,), daemon=True, name="tunnel connection").start()

    def _serve(self, local: socket.socket) -> None:
        """Carry one connection."""
        channel: Channel | None = None
        self._open.add(local)
        try:
            channel = self._channel()
            self._open.add(channel)
            threading.Thread(target=self._upload, args=(local, channel), daemon=True, name="tunnel upload").start()
            for data in channel.receive():
                local.sendall(data)
        except (KubeError, OSError, ValueError) as error:
            self.fault = error
        finally:
            for item in filter(None, (local, channel)):
                self._end(item)

    def _channel(self) -> Channel:
        """A channel to the pod; when that pod is gone, to another one."""
        try:
            return Channel(self.client, self.target)
        except ApiError:
            with self._lock:
                self.target = find_target(self.client, *self.service)
            return Channel(self.client, self.target)

    def _upload(self, local: socket.socket, channel: Channel) -> None:
        """Carry what the local side sends; its end closes the channel."""
        with contextlib.suppress(OSError, ValueError):
            while data := local.recv(CHUNK):
                channel.send(data)
        self._end(channel)

    def _end(self, item: t.Any) -> None:
        self._open.discard(item)
        if isinstance(item, socket.socket):
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
        item.close()


@contextlib.contextmanager
def tunnel(client: Client, namespace: str, service: str, port: int | str) -> t.Iterator[Address]:
    """A local address that leads to the Service; NoPodError when it has no ready pod."""
    with Tunnel(client, namespace, service, port) as opened:
        yield opened.address


@contextlib.contextmanager
def reach(
    params: t.Mapping[str, t.Any], namespace: str, service: str, port: int | str, endpoint: str | None = None
) -> t.Iterator[Address]:
    """The address of a Service: the endpoint if one is given (host:port), else a tunnel with the connection options."""
    if endpoint:
        yield parsed_endpoint(endpoint)
        return
    with client_for(params) as client, tunnel(client, namespace, service, port) as address:
        yield address


def client_for(params: t.Mapping[str, t.Any]) -> Client:
    """A client for the connection options of a module."""
    return Client(connection_from(merged(params, {}, os.environ)))


def parsed_endpoint(endpoint: str) -> Address:
    """The address that an endpoint such as minio.example.com:9000 names."""
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise KubeError(f"the endpoint {endpoint!r} is not valid: {error}") from error
    if not host or not port:
        raise KubeError(f"the endpoint {endpoint!r} is not valid: write it as host:port")
    return Address(host, port)
