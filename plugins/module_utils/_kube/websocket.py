# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The part of WebSocket (RFC 6455) that a port-forward through the API server needs."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import typing as t

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FINAL, MASKED = 0x80, 0x80


class Reader(t.Protocol):
    """What frames are read from."""

    def read(self, size: int, /) -> bytes:
        """Exactly size bytes, or fewer at the end."""


class Frame(t.NamedTuple):
    """One frame of the server."""

    opcode: int
    payload: bytes


def new_key() -> str:
    """The key of a handshake."""
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key: str) -> str:
    """What the server must answer to the key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()  # noqa: S324 - the protocol says SHA-1


def encode(opcode: int, payload: bytes, mask: bytes | None = None) -> bytes:
    """A frame of the client, which must be masked."""
    key = os.urandom(4) if mask is None else mask
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", FINAL | opcode, MASKED | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", FINAL | opcode, MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", FINAL | opcode, MASKED | 127, size)
    return head + key + masked(payload, key)


def masked(payload: bytes, key: bytes) -> bytes:
    """The payload under the mask; the same again takes it off."""
    size = len(payload)
    stream = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def read_frame(reader: Reader) -> Frame | None:
    """The next frame, or None at the end of the stream."""
    head = reader.read(2)
    if len(head) < 2:
        return None
    opcode, size = head[0] & 0x0F, head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", exactly(reader, 2))
    elif size == 127:
        (size,) = struct.unpack("!Q", exactly(reader, 8))
    key = exactly(reader, 4) if head[1] & MASKED else b""
    payload = exactly(reader, size)
    return Frame(opcode, masked(payload, key) if key else payload)


def exactly(reader: Reader, size: int) -> bytes:
    """The next bytes; a stream that ends before is broken."""
    data = reader.read(size)
    if len(data) < size:
        raise ConnectionResetError("the stream ended in the middle of a frame")
    return data
