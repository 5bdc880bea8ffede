# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The lab's memory of the processes that it started: one small file each."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_definition import (
    NETNS_DIR,
    Definition,
)
from ansible_collections.mlops.platform.plugins.module_utils._lab.procfs import Identity, boot_id, is_alive

MARK = "MLOPS_LAB_PROCESS"


@dataclass(frozen=True)
class Record:
    """One process as it was started, with what is needed to end it without its definition."""

    name: str
    pid: int
    start_time: int
    boot_id: str
    argv: list[str]
    netns: str | None
    log: str
    stop_signal: str
    stop_timeout: float
    stop_scope: str
    order: int
    digests: dict[str, str] = field(default_factory=dict)
    cgroup: str | None = None

    @property
    def identity(self) -> Identity:
        """Return what tells this process from any other of this boot."""
        return Identity(self.pid, self.start_time)

    @property
    def netns_path(self) -> str | None:
        """Return the file of the network namespace, or None."""
        return f"{NETNS_DIR}/{self.netns}" if self.netns else None

    def of_this_boot(self) -> bool:
        """Tell whether the process was started since the machine was."""
        return self.boot_id == boot_id()

    def running(self) -> bool:
        """Tell whether the process still runs."""
        return self.of_this_boot() and is_alive(self.identity)


def make_record(definition: Definition, identity: Identity, order: int, digests: dict[str, str]) -> Record:
    """Return the record of a process that was just started."""
    return Record(
        name=definition.name,
        pid=identity.pid,
        start_time=identity.start_time,
        boot_id=boot_id(),
        argv=list(definition.argv),
        netns=definition.netns,
        log=definition.log or "",
        stop_signal=definition.stop_signal,
        stop_timeout=definition.stop_timeout,
        stop_scope=definition.stop_scope,
        order=order,
        digests=digests,
        cgroup=definition.cgroup,
    )


class Records:
    """The folder with the records of one set of processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the file of one process."""
        return self.folder / f"{name}.json"

    def mark(self, name: str) -> str:
        """Return the variable by which the descendants of a process are known."""
        return f"{MARK}={self.path(name)}"

    def read(self, name: str) -> Record | None:
        """Return the record of one process, or None."""
        try:
            return Record(**json.loads(self.path(name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise LabError(f"{self.path(name)} is damaged ({error}); remove it once {name} is stopped") from error

    def all(self) -> list[Record]:
        """Return all records in the order in which their processes were to start."""
        found = (self.read(path.name[: -len(".json")]) for path in self.folder.glob("*.json"))
        return sorted((record for record in found if record), key=lambda record: (record.order, record.start_time))

    def write(self, record: Record) -> None:
        """Write a record whole or not at all."""
        path = self.path(record.name)
        draft = path.with_suffix(f".{os.getpid()}.new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(asdict(record), stream)
        draft.replace(path)

    def forget(self, name: str) -> None:
        """Remove the record of a process that has ended."""
        self.path(name).unlink(missing_ok=True)

    def remove_folder(self) -> None:
        """Remove the folder once nothing is recorded in it."""
        with suppress(OSError):
            self.folder.rmdir()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others away; the folder itself is the lock, so none is left behind."""
        handle = self._lock()
        try:
            yield
        finally:
            os.close(handle)

    def _lock(self) -> int:
        while True:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            fcntl.flock(handle, fcntl.LOCK_EX)
            # The one before us may have stopped everything and removed the folder.
            if os.fstat(handle).st_nlink:
                return handle
            os.close(handle)
