# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""NFS-Ganesha: one file for each name, put in force export by export over D-Bus; clients of others notice nothing."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from . import ganesha_conf, names
from .backend import BackendError, Change, Run, read_text, replaced
from .dropin import EXPORT_IDS, DropIn, Header, header_of, numbers
from .exports5 import normal_client
from .spec import Export, inside

_CALL = ["busctl", "--system", "--json=short", "call"]
_MANAGER = ["org.ganesha.nfsd", "/org/ganesha/nfsd/ExportMgr", "org.ganesha.nfsd.exportmgr"]


class Live(t.NamedTuple):
    """An export that the running server has."""

    number: int
    path: str


class Ganesha:
    """See Backend."""

    kind = "ganesha"

    def __init__(
        self,
        run: Run,
        folder: str = "/etc/ganesha/exports.d",
        main: str = "/etc/ganesha/ganesha.conf",
        resolve: names.Resolve = names.resolve,
    ) -> None:
        self._run = run
        self._resolve = resolve
        self.folder = folder
        # Not the folder itself: %dir loads hidden files too.
        self.staging = os.path.dirname(main)
        self._main = main
        self._down = False

    def check(self, exports: t.Iterable[Export]) -> None:
        """Refuse what NFS-Ganesha cannot do."""
        for export in exports:
            ganesha_conf.check(export)
            names.check_known([export], self._resolve)

    def problem(self) -> str:
        """The main configuration must load our files, and the server must answer."""
        if ("dir", self.folder) not in ganesha_conf.includes(read_text(self._main) or ""):
            self._down = True
            return f"backend: {self._main} lacks the line '%dir {self.folder}'; run the role nfs_server, or add it"
        try:
            self._show()
        except BackendError as error:
            self._down = True
            return f"backend: NFS-Ganesha does not answer ({error}); start nfs-ganesha and dbus"
        return ""

    def path(self, name: str) -> str:
        """The drop-in's file."""
        return f"{self.folder}/{name}.conf"

    def read(self) -> list[DropIn]:
        """The main configuration with what it includes, and every drop-in."""
        found: dict[str, DropIn] = {}
        pending = [self._main]
        while pending:
            source = pending.pop(0)
            text = None if source in found else read_text(source)
            if text is None:
                continue
            found[source] = self.parse(text, source)
            for kind, path in ganesha_conf.includes(text):
                whole = os.path.join(os.path.dirname(source), path)
                pending += [whole] if kind == "include" else _files(whole)
        return list(found.values())

    def parse(self, text: str, source: str) -> DropIn:
        """One file of the configuration."""
        blocks = ganesha_conf.parse(text, source)
        entries = tuple(ganesha_conf.entries(blocks))
        return DropIn(source, text, entries, header_of(text, source), ganesha_conf.export_ids(blocks))

    def number(self, exports: t.Sequence[Export], current: DropIn | None, others: t.Sequence[DropIn]) -> dict[str, int]:
        """Ids that stay for a path, and that no other file and no running export has."""
        kept = dict(current.ids) if current else {}
        live = {one.number: one.path for one in self._show()}
        wish = {export.path for export in exports}
        foreign = {number for number, path in live.items() if path not in wish}
        taken = {number for other in others for number in other.ids.values()} | foreign
        kept.update({path: number for number, path in live.items() if path in wish and path not in kept and number})
        return numbers([export.path for export in exports], kept, taken, EXPORT_IDS)

    def render(self, header: Header, exports: t.Sequence[Export], ids: t.Mapping[str, int]) -> str:
        """The drop-in's text."""
        return header.render() + ganesha_conf.render(exports, ids)

    def live(self) -> set[str]:
        """The paths that are exported now."""
        return {one.path for one in self._show()}

    def drift(
        self, exports: t.Sequence[Export], ids: t.Mapping[str, int], leaving: t.AbstractSet[str]
    ) -> dict[str, str]:
        """Compare with what the running server says it exports."""
        live = {one.number: one.path for one in self._show()}
        found = {path: f"{path} is still exported" for path in live.values() if path in leaving}
        for export in exports:
            number = ids.get(export.path, 0)
            if live.get(number) != export.path:
                found[export.path] = f"{export.path} is not exported"
            elif self._clients(number) not in (None, _clients_of(export)):
                found[export.path] = f"{export.path} is exported to other clients or for another owner"
        return found

    def _show(self) -> list[Live]:
        data = None if self._down else self._call("ShowExports")
        return [Live(item[0], item[1]) for item in data[1] if item[0]] if data else []

    def _clients(self, number: int) -> frozenset[tuple[str, int, int]] | None:
        """The clients with the ids that squashed users get; None where this version tells it in another form."""
        data = self._call("DisplayExport", "q", str(number))
        try:
            return frozenset((normal_client(item[0]), item[5], item[6]) for item in data[4])
        except (IndexError, TypeError):
            return None

    def _call(self, method: str, *arguments: str) -> t.Any:
        code, out, err = self._run([*_CALL, *_MANAGER, method, *arguments])
        if code:
            raise BackendError(f"NFS-Ganesha refused {method} {' '.join(arguments)}: {err.strip() or out.strip()}")
        return json.loads(out).get("data") if out.strip() else None

    def commit(self, change: Change) -> list[str]:
        """Change the running server from the staged file, and only then make it the file that the next start reads."""
        try:
            self._activate(change)
            differences = self.drift(change.exports, change.ids, change.leaving)
            if differences:
                raise BackendError("; ".join(differences.values()))
            with replaced(change.staged, change.path, self.staging):
                pass
        except BaseException:
            self._back(change)
            raise
        return []

    def _activate(self, change: Change) -> None:
        """New and changed exports first: a killed run leaves more in force than is wanted, and not less."""
        live = {one.path: one.number for one in self._show()}
        leaving = sorted(change.leaving & set(live), reverse=True)
        # The server does not remove an export that has another one in it.
        early = [path for path in leaving if any(inside(export.path, path) for export in change.exports)]
        for path in early:
            self._call("RemoveExport", "q", str(live[path]))
        for export in sorted(change.exports, key=lambda export: export.path):
            self._put(change, export.path, live.get(export.path))
        for path in leaving:
            if path not in early:
                self._call("RemoveExport", "q", str(live[path]))

    def _put(self, change: Change, path: str, found: int | None) -> None:
        number = change.ids[path]
        if found not in (None, number):
            self._call("RemoveExport", "q", str(found))
        if found != number or path in change.touched:
            method = "UpdateExport" if found == number else "AddExport"
            self._call(method, "ss", change.staged or "", _expression(number))

    def _back(self, change: Change) -> None:
        """The running server as the old file says, as far as it takes it. Who called looks what is in force then."""
        before = change.old.ids if change.old else {}
        with contextlib.suppress(BackendError):
            live = {one.path: one.number for one in self._show()}
            for export in sorted(change.exports, key=lambda export: export.path, reverse=True):
                if export.path in live and live[export.path] != before.get(export.path):
                    self._try("RemoveExport", "q", str(live.pop(export.path)))
            for path in sorted(before):
                method = "UpdateExport" if path in live else "AddExport"
                self._try(method, "ss", change.path, _expression(before[path]))

    def _try(self, method: str, *arguments: str) -> None:
        with contextlib.suppress(BackendError):
            self._call(method, *arguments)


def _files(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    except FileNotFoundError:
        return []


def _expression(number: int) -> str:
    return f"EXPORT(Export_Id={number})"


def _clients_of(export: Export) -> frozenset[tuple[str, int, int]]:
    return frozenset((client, export.rules.anonuid, export.rules.anongid) for client in export.clients)
