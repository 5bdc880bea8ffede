# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Host names among the clients, as the storage server's resolver knows them."""

from __future__ import annotations

import socket
import typing as t

from .spec import Export
from .values import RefusedError, is_address

Resolve = t.Callable[[str], "frozenset[str]"]


def resolve(name: str) -> frozenset[str]:
    """The addresses of a name; none where it is not known."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return frozenset()
    return frozenset(str(item[4][0]) for item in found)


def is_host(client: str) -> bool:
    """Whether a client is the name of one host, and no address, network, pattern or netgroup."""
    return not is_address(client) and not any(mark in client for mark in "@*?<")


def check_known(exports: t.Iterable[Export], look_up: Resolve) -> None:
    """Refuse the name of a host that the storage server cannot find: the server would leave it out."""
    for export in exports:
        for index, client in enumerate(export.clients):
            if is_host(client) and not look_up(client):
                raise RefusedError(
                    f"{export.field}.clients[{index}]: '{client}' is not known to the storage server's resolver; "
                    "correct it or write an address"
                )
