# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""The kernel's NFS server: drop-ins in /etc/exports.d, put in force by exportfs."""

from __future__ import annotations

import glob
import typing as t

from . import exportfs, exports5, names
from .backend import BackendError, Change, Run, read_text, replaced
from .dropin import DropIn, Header, header_of
from .exports5 import Entry
from .spec import Export


class Kernel:
    """See Backend."""

    kind = "kernel"

    def __init__(
        self,
        run: Run,
        folder: str = "/etc/exports.d",
        main: str = "/etc/exports",
        threads: str = "/proc/fs/nfsd/threads",
        resolve: names.Resolve = names.resolve,
    ) -> None:
        self._run = run
        self.folder = folder
        self.staging = folder
        self._main = main
        self._threads = threads
        self._resolve = resolve
        self._down = False

    def check(self, exports: t.Iterable[Export]) -> None:
        """The kernel takes all that exports(5) has; exportfs leaves out hosts that it cannot find."""
        names.check_known(exports, self._resolve)

    def path(self, name: str) -> str:
        """The drop-in's file."""
        return f"{self.folder}/{name}.exports"

    def read(self) -> list[DropIn]:
        """/etc/exports and every drop-in."""
        sources = [self._main, *sorted(glob.glob(glob.escape(self.folder) + "/*.exports"))]
        texts = {source: read_text(source) for source in sources}
        return [self.parse(text, source) for source, text in texts.items() if text is not None]

    def parse(self, text: str, source: str) -> DropIn:
        """A file of exports."""
        return DropIn(source, text, tuple(exports5.parse(text, source)), header_of(text, source))

    def number(self, exports: t.Sequence[Export], current: DropIn | None, others: t.Sequence[DropIn]) -> dict[str, int]:
        """The kernel numbers exports itself."""
        del exports, current, others
        return {}

    def render(self, header: Header, exports: t.Sequence[Export], ids: t.Mapping[str, int]) -> str:
        """The drop-in's text."""
        del ids
        return header.render() + exports5.render(exports)

    def problem(self) -> str:
        """The table of exports must be readable, and nfsd must run: exportfs alone only keeps a list."""
        try:
            self._entries()
        except BackendError as error:
            self._down = True
            return f"backend: the kernel's NFS server is not installed ({error}); run the role nfs_server"
        return "" if self._serves() else "backend: nfsd does not run; start nfs-server"

    def live(self) -> set[str]:
        """The paths that are exported now."""
        return {entry.path for entry in self._entries()}

    def drift(
        self, exports: t.Sequence[Export], ids: t.Mapping[str, int], leaving: t.AbstractSet[str]
    ) -> dict[str, str]:
        """Compare with exportfs -s: what mountd answers the kernel with."""
        del ids
        live = self._entries()
        found = {entry.path: f"{entry.path} is still exported" for entry in live if entry.path in leaving}
        for export in exports:
            differences = list(exportfs.differences(export, live, self._resolve))
            if differences:
                found[export.path] = "; ".join(differences)
        return found

    def _serves(self) -> bool:
        return (read_text(self._threads) or "0").strip() not in ("", "0")

    def _entries(self) -> list[Entry]:
        if self._down:
            return []
        code, out, err = self._run(["exportfs", "-s"])
        if code:
            raise BackendError(f"exportfs -s failed: {err.strip() or out.strip()}")
        return exportfs.parse(out) if self._serves() else []

    def commit(self, change: Change) -> list[str]:
        """Replace the file, re-export, look, and go back if the kernel did not follow."""
        try:
            with replaced(change.staged, change.path, self.staging):
                return self._activate(change)
        except BaseException:
            self._run(["exportfs", "-ra"])
            raise

    def _activate(self, change: Change) -> list[str]:
        code, out, err = self._run(["exportfs", "-ra"])
        said = err.strip() or out.strip()
        differences = self.drift(change.exports, {}, change.leaving)
        if differences:
            raise BackendError(f"after exportfs -ra {'; '.join(differences.values())}" + (f" ({said})" if said else ""))
        if not code:
            return []
        if exportfs.names_one(said, [change.path, *(export.path for export in change.exports)]):
            raise BackendError(f"exportfs -ra failed: {said}")
        return [f"backend: exportfs -ra ended with {code} because of exports of others: {said}"]
