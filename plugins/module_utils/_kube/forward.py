# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A port-forward to a pod through the API server: one TCP connection, carried by one WebSocket."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t
from urllib.parse import urlencode

from .client import Client
from .errors import ApiError, KubeError
from .resources import POD
from .watch import decoded
from .websocket import BINARY, CLOSE, PING, PONG, accept_of, encode, new_key, read_frame

PROTOCOL = "v4.channel.k8s.io"
DATA, FAULT = 0, 1  # the channels of the one port that is forwarded


class Target(t.NamedTuple):
    """A port of a pod."""

    namespace: str
    pod: str
    port: int


class Channel:
    """One TCP connection of the pod, carried by a WebSocket."""

    def __init__(self, client: Client, target: Target) -> None:
        self.connection = client.transport.open()
        self.connection.connect()
        self.sock: socket.socket = self.connection.sock
        self.sock.settimeout(None)
        self.reader = self.sock.makefile("rb")
        self._lock = threading.Lock()
        try:
            self._handshake(client, target)
        except BaseException:
            self.close()
            raise

    def _handshake(self, client: Client, target: Target) -> None:
        key = new_key()
        path = POD.path(target.namespace, target.pod) + "/portforward?" + urlencode({"ports": target.port})
        headers = {
            "Host": self.connection.host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": PROTOCOL,
            **client.headers(),
            "Accept": "*/*",
        }
        lines = [f"{name}: {value}" for name, value in headers.items()]
        request = [f"GET {client.transport.prefix}{path} HTTP/1.1", *lines, "", ""]
        self.sock.sendall("\r\n".join(request).encode())
        status, answer = read_head(self.reader)
        if status != 101:
            raise ApiError(status, decoded(self.reader.read(int(answer.get("content-length") or 0))))
        if answer.get("sec-websocket-accept") != accept_of(key):
            raise KubeError("the API server, or a proxy before it, does not speak WebSocket")

    def send(self, data: bytes, opcode: int = BINARY) -> None:
        """Send bytes to the pod."""
        payload = bytes([DATA]) + data if opcode == BINARY else data
        with self._lock:
            self.sock.sendall(encode(opcode, payload))

    def receive(self) -> t.Iterator[bytes]:
        """The bytes of the pod, until it closes the connection."""
        greeted: set[int] = set()
        while (frame := read_frame(self.reader)) is not None and frame.opcode != CLOSE:
            if frame.opcode == PING:
                self.send(frame.payload, PONG)
            elif frame.opcode == BINARY and frame.payload:
                channel, data = frame.payload[0], frame.payload[1:]
                if channel not in greeted:
                    # The first frame of each channel repeats the number of the port.
                    greeted.add(channel)
                    data = data[2:]
                if channel == FAULT and data:
                    raise KubeError(f"the port-forward failed: {data.decode('utf-8', 'replace').strip()}")
                if channel == DATA and data:
                    yield data

    def close(self) -> None:
        """Close the connection; a reader in another thread ends."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.reader.close()
        self.connection.close()


def read_head(reader: t.BinaryIO | t.Any) -> tuple[int, dict[str, str]]:
    """The status and the headers of an answer."""
    status = reader.readline().decode("latin-1").split(" ", 2)
    if len(status) < 2 or not status[1].isdigit():
        raise KubeError("the API server closed the connection instead of opening a port-forward")
    headers = {}
    while (line := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status[1]), headers
