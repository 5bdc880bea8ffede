# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""A small NFSv4.1 client that looks up and reads, for machines whose kernel cannot mount NFS."""

from __future__ import annotations

import contextlib
import os
import socket

from .xdr import Reader, opaque, u32, u64

_PROGRAM, _VERSION, _COMPOUND = 100003, 4, 1
_GETFH, _LOOKUP, _PUTFH, _PUTROOTFH, _READ = 10, 15, 22, 24, 25
_EXCHANGE_ID, _CREATE_SESSION, _DESTROY_SESSION, _SEQUENCE, _DESTROY_CLIENTID = 42, 43, 44, 53, 57
_CHUNK = 65536
_RESERVED = range(1023, 599, -1)
ERRORS = {
    1: "not permitted", 2: "no such export, file or folder", 5: "I/O error", 13: "access denied", 20: "not a folder",
    21: "is a folder", 28: "no space", 30: "read-only", 69: "quota exceeded", 70: "stale handle",
    10006: "server fault", 10008: "busy", 10013: "in its grace period", 10016: "wrong security flavour",
    10018: "not ready", 10021: "minor version not served",
}  # fmt: skip
TEMPORARY = frozenset({10008, 10013, 10018})


class NfsError(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{what}: {ERRORS.get(status, 'error')} ({status})")
        self.status = status


class Client:
    """A session with a server. Use it as a context manager."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._socket = _connect(host, port, seconds)
        self._credential = opaque(u32(0) + opaque(b"probe") + u32(0, 0, 0))
        self._xid = int.from_bytes(os.urandom(4), "big")
        self._sequence = 0
        self._session = b""
        self._client = 0

    def __enter__(self) -> Client:
        try:
            self._open()
        except (OSError, NfsError, ValueError):
            self._socket.close()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        with contextlib.suppress(OSError, NfsError, ValueError):
            self._compound("end the session", (_DESTROY_SESSION, self._session))
            self._compound("leave", (_DESTROY_CLIENTID, u64(self._client)))
        self._socket.close()

    def _open(self) -> None:
        owner = os.urandom(8) + opaque(b"mlops.platform probe " + os.urandom(8))
        answer = self._compound("introduce", (_EXCHANGE_ID, owner + u32(0, 0, 0)))
        self._client, number = answer.u64(), answer.u32()
        channel = u32(0, 1 << 20, 1 << 20, 4096, 64, 1, 0)
        body = u64(self._client) + u32(number, 0) + channel + channel + u32(0, 1, 0)
        self._session = self._compound("begin a session", (_CREATE_SESSION, body)).take(16)

    def look_up(self, path: str) -> bytes:
        """The handle of an absolute path, through every export on the way."""
        names = [(_LOOKUP, opaque(part.encode())) for part in path.split("/") if part]
        answer = self._call(path, (_PUTROOTFH, b""), *names, (_GETFH, b""))
        return answer.opaque()

    def read(self, handle: bytes, what: str) -> bytes:
        """A whole file, without opening it: the anonymous state is enough to read."""
        data = b""
        while True:
            body = bytes(16) + u64(len(data)) + u32(_CHUNK)
            answer = self._call(what, (_PUTFH, opaque(handle)), (_READ, body))
            end, chunk = answer.u32(), answer.opaque()
            data += chunk
            if end or not chunk:
                return data

    def _call(self, what: str, *operations: tuple[int, bytes]) -> Reader:
        self._sequence += 1
        sequence = self._session + u32(self._sequence, 0, 0, 0)
        return self._compound(what, (_SEQUENCE, sequence), *operations)

    def _compound(self, what: str, *operations: tuple[int, bytes]) -> Reader:
        """The result of the last operation; those before it return nothing of interest."""
        body = opaque(b"") + u32(1, len(operations)) + b"".join(u32(number) + data for number, data in operations)
        answer = self._exchange(body)
        status = answer.u32()
        answer.opaque()
        count = answer.u32()
        if status:
            raise NfsError(status, what)
        for index in range(count):
            number = answer.u32()
            answer.u32()
            if number == _SEQUENCE and index < count - 1:
                answer.take(36)
        return answer

    def _exchange(self, body: bytes) -> Reader:
        self._xid = (self._xid + 1) % 2**32
        call = u32(self._xid, 0, 2, _PROGRAM, _VERSION, _COMPOUND, 1) + self._credential + u32(0, 0) + body
        self._socket.sendall(u32(len(call) | 1 << 31) + call)
        answer = Reader(self._message())
        if answer.u32() != self._xid or answer.u32() != 1:
            raise ValueError("the answer belongs to another question")
        if answer.u32() != 0:
            raise ValueError("the server refused the call")
        answer.u32()
        answer.opaque()
        accepted = answer.u32()
        if accepted:
            raise ValueError(f"the server does not serve NFSv4 here (RPC {accepted})")
        return answer

    def _message(self) -> bytes:
        message, last = b"", False
        while not last:
            head = int.from_bytes(self._bytes(4), "big")
            last = bool(head >> 31)
            message += self._bytes(head & 0x7FFFFFFF)
        return message

    def _bytes(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            chunk = self._socket.recv(count - len(found))
            if not chunk:
                raise ConnectionError("the server closed the connection")
            found += chunk
        return found


def _connect(host: str, port: int, seconds: float) -> socket.socket:
    """A connection, from a reserved port where that is allowed: exports may ask for one."""
    error: OSError | None = None
    for family, kind, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind)
        try:
            made.settimeout(seconds)
            _reserve(made)
            made.connect(address)
            return made
        except OSError as failed:
            made.close()
            error = failed
    raise error or OSError(f"{host} has no address")


def _reserve(made: socket.socket) -> None:
    for port in _RESERVED:
        with contextlib.suppress(OSError):
            made.bind(("", port))
            return
