# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""What every kind of server offers: read, stage, compare with what is in force, commit."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
import typing as t

from .dropin import DropIn, Header
from .spec import Export

_OURS = ".nfs_exports-"
Run = t.Callable[[t.Sequence[str]], tuple[int, str, str]]


class BackendError(Exception):
    """The server did not take the exports."""


class Change(t.NamedTuple):
    """From one drop-in to the next. Touched are the exports that differ; leaving are paths that go."""

    path: str
    staged: str | None
    old: DropIn | None
    exports: t.Sequence[Export]
    ids: t.Mapping[str, int]
    touched: t.AbstractSet[str]
    leaving: t.AbstractSet[str]


class Backend(t.Protocol):
    """A kind of NFS server."""

    kind: str
    folder: str
    staging: str

    def check(self, exports: t.Iterable[Export]) -> None:
        """Refuse what this kind cannot do."""

    def problem(self) -> str:
        """Why the server cannot take exports now, with the remedy; empty when it can."""

    def path(self, name: str) -> str:
        """The drop-in's file."""

    def read(self) -> list[DropIn]:
        """Every file with exports, those of others too."""

    def parse(self, text: str, source: str) -> DropIn:
        """One file with exports."""

    def live(self) -> set[str]:
        """The paths that are exported now."""

    def number(self, exports: t.Sequence[Export], current: DropIn | None, others: t.Sequence[DropIn]) -> dict[str, int]:
        """The export ids, where this kind has them."""

    def render(self, header: Header, exports: t.Sequence[Export], ids: t.Mapping[str, int]) -> str:
        """The drop-in's text."""

    def drift(
        self, exports: t.Sequence[Export], ids: t.Mapping[str, int], leaving: t.AbstractSet[str]
    ) -> dict[str, str]:
        """Where the server in force differs from the wish: path and words."""

    def commit(self, change: Change) -> list[str]:
        """Put the staged file in force and return warnings; or go back to the old file and raise BackendError."""


def read_text(path: str) -> str | None:
    """A file's text; None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None


def stage(text: str, staging: str) -> str:
    """Write the text to a folder that the server does not read, safely on disk."""
    fd, staged = tempfile.mkstemp(prefix=_OURS, suffix=".tmp", dir=staging)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        discard(staged)
        # A failed write names no file by itself.
        raise OSError(error.errno, error.strerror, staging) from error
    return staged


def discard(staged: str | None) -> None:
    """Remove a staged file that is not needed."""
    if staged is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)


def sweep(staging: str) -> None:
    """Remove what killed runs left behind. Only for the run that has the lock."""
    for left in glob.glob(f"{glob.escape(staging)}/{_OURS}*"):
        with contextlib.suppress(OSError):
            os.unlink(left)


def put(staged: str | None, path: str) -> None:
    """Make the staged file the file, or remove the file where none is staged; durable."""
    if staged is None:
        discard(path)
    else:
        os.replace(staged, path)
    fd = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def replaced(staged: str | None, path: str, staging: str) -> t.Iterator[None]:
    """The file replaced while the block runs, and for good unless it fails. Going back needs no disk space."""
    backup = f"{staging}/{_OURS}{os.path.basename(path)}.old"
    discard(backup)
    existed = os.path.exists(path)
    if existed:
        os.link(path, backup)
    done = False
    try:
        put(staged, path)
        yield
        done = True
    finally:
        if not done and existed:
            os.replace(backup, path)
        elif not done:
            discard(path)
        discard(backup)


def make_folder(folder: str) -> t.Callable[[], None] | None:
    """Make the drop-in folder, which no package makes; returns how to undo it."""
    try:
        os.mkdir(folder, 0o755)
    except FileExistsError:
        return None
    return lambda: os.rmdir(folder)
