# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""XDR, the encoding of NFS: the few forms that the client needs. Pure."""

from __future__ import annotations

import struct


def u32(*numbers: int) -> bytes:
    """Unsigned numbers of 32 bits."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def u64(number: int) -> bytes:
    """An unsigned number of 64 bits."""
    return struct.pack(">Q", number)


def opaque(data: bytes) -> bytes:
    """Bytes with their length, filled up to four."""
    return u32(len(data)) + data + bytes(-len(data) % 4)


class Reader:
    """Takes values from the front of a message. A message that is too short raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """So many bytes."""
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise ValueError("the message ends too early")
        found = self._data[self._at : end]
        self._at = end
        return found

    def u32(self) -> int:
        """A number of 32 bits."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """A number of 64 bits."""
        return int.from_bytes(self.take(8), "big")

    def opaque(self) -> bytes:
        """Bytes with their length."""
        length = self.u32()
        found = self.take(length)
        self.take(-length % 4)
        return found
