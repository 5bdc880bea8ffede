# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""The kernel's NFS server: drop-ins in /etc/exports.d, put in force by exportfs."""

from __future__ import annotations

import glob
import typing as t

from . import exports5
from .backend import BackendError, Change, Run, read_text, replaced
from .dropin import DropIn, Header, header_of
from .exports5 import Entry
from .spec import Export, Rules


class Kernel:
    """See Backend."""

    kind = "kernel"

    def __init__(self, run: Run, folder: str = "/etc/exports.d", main: str = "/etc/exports") -> None:
        self._run = run
        self.folder = folder
        self.staging = folder
        self._main = main
        self._down = False

    def check(self, exports: t.Iterable[Export]) -> None:
        """The kernel takes all that exports(5) has."""

    def path(self, name: str) -> str:
        """The drop-in's file."""
        return f"{self.folder}/{name}.exports"

    def read(self) -> list[DropIn]:
        """/etc/exports and every drop-in."""
        found = []
        for source in [self._main, *sorted(glob.glob(glob.escape(self.folder) + "/*.exports"))]:
            text = read_text(source)
            if text is not None:
                entries = tuple(exports5.parse(text, source))
                found.append(DropIn(source, text, entries, header_of(text, source)))
        return found

    def number(self, exports: t.Sequence[Export], current: DropIn | None, others: t.Sequence[DropIn]) -> dict[str, int]:
        """The kernel numbers exports itself."""
        del exports, current, others
        return {}

    def render(self, header: Header, exports: t.Sequence[Export], ids: t.Mapping[str, int]) -> str:
        """The drop-in's text."""
        del ids
        return header.render() + exports5.render(exports)

    def problem(self) -> str:
        """The table of exports must be readable; that nfsd runs is the role's affair."""
        try:
            self._live()
        except BackendError as error:
            self._down = True
            return f"backend: the kernel's NFS server is not installed ({error}); run the role nfs_server"
        return ""

    def live(self) -> set[str]:
        """The paths that are exported now."""
        return {entry.path for entry in self._live()}

    def drift(
        self, exports: t.Sequence[Export], ids: t.Mapping[str, int], leaving: t.AbstractSet[str]
    ) -> dict[str, str]:
        """Compare with exportfs -s: what mountd answers the kernel with."""
        del ids
        live = self._live()
        found = {entry.path: f"{entry.path} is still exported" for entry in live if entry.path in leaving}
        for export in exports:
            differences = list(_differences(export, [entry for entry in live if entry.path == export.path]))
            if differences:
                found[export.path] = "; ".join(differences)
        return found

    def _live(self) -> list[Entry]:
        if self._down:
            return []
        code, out, err = self._run(["exportfs", "-s"])
        if code:
            raise BackendError(f"exportfs -s failed: {err.strip() or out.strip()}")
        return exports5.parse(out, "exportfs -s")

    def commit(self, change: Change) -> None:
        """Replace the file, re-export, look, and go back if the kernel did not follow."""
        try:
            with replaced(change.staged, change.path, self.staging):
                self._activate(change)
        except (BackendError, OSError):
            self._run(["exportfs", "-ra"])
            raise

    def _activate(self, change: Change) -> None:
        code, out, err = self._run(["exportfs", "-ra"])
        said = err.strip() or out.strip()
        if code:
            raise BackendError(f"exportfs -ra failed: {said}")
        differences = self.drift(change.exports, {}, change.leaving)
        if differences:
            raise BackendError(f"after exportfs -ra {'; '.join(differences.values())}" + (f" ({said})" if said else ""))


def _differences(export: Export, live: t.Sequence[Entry]) -> t.Iterator[str]:
    for client in export.clients:
        rules = [entry.rules for entry in live if entry.client == client]
        if not rules and not _is_address(client):
            # exportfs shows a host by its canonical name: any entry of the path with the same rules stands for it.
            rules = [
                entry.rules for entry in live if not _is_address(entry.client) and entry.client not in export.clients
            ]
        if not rules:
            yield f"{export.path} is not exported to {client}"
        elif not any(_same(export.rules, found) for found in rules):
            yield f"{export.path} is exported to {client} with other options"
    for entry in live:
        if _is_address(entry.client) and entry.client not in export.clients:
            yield f"{export.path} is still exported to {entry.client}"


def _is_address(client: str) -> bool:
    return ":" in client or client.replace(".", "").replace("/", "").isdigit()


def _same(wish: Rules, found: Rules) -> bool:
    security = [{word for word in rules.others if word.startswith("sec=")} for rules in (wish, found)]
    ours = (wish.access, wish.identity, wish.sync, wish.secure, security[0] - {"sec=sys"})
    return ours == (found.access, found.identity, found.sync, found.secure, security[1])
