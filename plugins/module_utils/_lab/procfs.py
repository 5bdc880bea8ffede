# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What /proc says of processes, and signals that cannot hit a stranger."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class Identity:
    """A process for certain: a pid alone is used again, together with the start time it is not."""

    pid: int
    start_time: int


@dataclass(frozen=True)
class Stat:
    """The fields of /proc/<pid>/stat that are of use here."""

    identity: Identity
    state: str
    session: int


def parse_stat(text: str) -> Stat:
    """Read one line of /proc/<pid>/stat; the command in brackets may itself hold brackets and blanks."""
    pid, rest = text.split(" (", 1)
    fields = rest.rpartition(")")[2].split()
    return Stat(Identity(int(pid), int(fields[19])), fields[0], int(fields[3]))


def read_stat(pid: int) -> Stat | None:
    """Return what runs under this pid now, or None."""
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def boot_id() -> str:
    """Return the identity of this boot: start times of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def is_alive(identity: Identity) -> bool:
    """Tell whether this very process still runs; a zombie does not."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.identity == identity and stat.state not in DEAD_STATES


def _stats() -> Iterator[Stat]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            stat = read_stat(int(entry.name))
            if stat is not None and stat.state not in DEAD_STATES:
                yield stat


def session_members(session: int) -> list[Identity]:
    """Return the living processes of a session, its leader too."""
    return [stat.identity for stat in _stats() if stat.session == session]


def has_variable(identity: Identity, variable: str) -> bool:
    """Tell whether a process was started with this NAME=value in its environment."""
    try:
        environment = Path(f"/proc/{identity.pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return variable.encode() in environment.split(b"\0") and is_alive(identity)


def same_network(pid: int, netns: str | None) -> bool:
    """Tell whether a process is in the network namespace of this path (None: that of the caller)."""
    try:
        mine = os.stat(f"/proc/{pid}/ns/net")
        wanted = os.stat(netns or "/proc/self/ns/net")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return (mine.st_dev, mine.st_ino) == (wanted.st_dev, wanted.st_ino)


def _open(identity: Identity) -> int | None:
    """Open a pidfd, which goes on meaning this process whatever becomes of its pid."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    if is_alive(identity):
        return handle
    os.close(handle)
    return None


def send(identities: Iterable[Identity], number: int) -> None:
    """Send a signal to those that still live."""
    for identity in identities:
        handle = _open(identity)
        if handle is None:
            continue
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)


def wait_any(identities: Iterable[Identity], timeout: float) -> None:
    """Return as soon as one of them has ended, or after the timeout."""
    with ExitStack() as stack:
        poll = select.poll()
        for identity in identities:
            handle = _open(identity)
            if handle is None:
                return
            stack.callback(os.close, handle)
            poll.register(handle, select.POLLIN)
        poll.poll(max(0, int(timeout * 1000)))


def wait_all(identities: Iterable[Identity], timeout: float) -> list[Identity]:
    """Wait until all have ended; return those that live after the timeout."""
    end = time.monotonic() + timeout
    left = [identity for identity in identities if is_alive(identity)]
    while left and time.monotonic() < end:
        wait_any(left, end - time.monotonic())
        left = [identity for identity in left if is_alive(identity)]
    return left
