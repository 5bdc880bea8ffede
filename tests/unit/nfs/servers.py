# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers to inject faults into. They keep the contract of exportfs and of NFS-Ganesha's D-Bus interface."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._nfs import exports5, ganesha_conf
from ansible_collections.mlops.platform.plugins.module_utils._nfs.backend import Backend
from ansible_collections.mlops.platform.plugins.module_utils._nfs.ganesha import Ganesha
from ansible_collections.mlops.platform.plugins.module_utils._nfs.kernel import Kernel

Answer = tuple[int, str, str]
Fault = t.Callable[[str], t.Optional[Answer]]


class Server:
    """What both have: the folder of drop-ins, what is in force, and a fault that may answer instead."""

    suffix = ""

    def __init__(self, base: Path) -> None:
        self.folder = base / "exports.d"
        self.main = base / "main"
        self.calls: list[str] = []
        self.fault: Fault = lambda call: None
        self.prepare()

    def prepare(self) -> None:
        """Make the server's files."""

    def run(self, words: t.Sequence[str]) -> Answer:
        """Answer a command."""
        call = " ".join(words)
        self.calls.append(call)
        return self.fault(call) or self.answer(words)

    def answer(self, words: t.Sequence[str]) -> Answer:
        """Answer a command as the real one would."""
        raise NotImplementedError

    def backend(self) -> Backend:
        """A backend that talks to this server."""
        raise NotImplementedError

    def in_force(self) -> dict[str, set[str]]:
        """Clients by path, as clients would find them."""
        raise NotImplementedError

    def mutating(self) -> list[str]:
        """The commands that change something."""
        return [call for call in self.calls if any(word in call for word in ("-ra", "AddEx", "UpdateEx", "RemoveEx"))]

    def file(self, name: str) -> Path:
        """A drop-in."""
        return self.folder / f"{name}{self.suffix}"


class KernelServer(Server):
    """exportfs with its table."""

    suffix = ".exports"

    def prepare(self) -> None:
        self.table = ""

    def backend(self) -> Backend:
        return Kernel(self.run, str(self.folder), str(self.main))

    def answer(self, words: t.Sequence[str]) -> Answer:
        if words[1] == "-ra":
            files = [self.main, *sorted(self.folder.glob("*.exports"))]
            self.table = "".join(path.read_text() + "\n" for path in files if path.exists())
        return 0, self.table if words[1] == "-s" else "", ""

    def in_force(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for entry in exports5.parse(self.table, "table"):
            found.setdefault(entry.path, set()).add(entry.client)
        return found


class GaneshaServer(Server):
    """The export manager with its exports."""

    suffix = ".conf"

    def prepare(self) -> None:
        self.folder.mkdir()
        self.main.write_text(f"%dir {self.folder}\n")
        self.live: dict[int, ganesha_conf.Block] = {}

    def backend(self) -> Backend:
        return Ganesha(self.run, str(self.folder), str(self.main))

    def answer(self, words: t.Sequence[str]) -> Answer:
        method, arguments = words[7], words[9:]
        return getattr(self, method)(*arguments)

    def ShowExports(self) -> Answer:  # noqa: N802
        shown = [[number, block.values["path"][0], [], [0, 0]] for number, block in self.live.items()]
        return self.said([[0, 0], [*shown, [0, "/", [], [0, 0]]]])

    def DisplayExport(self, number: str) -> Answer:  # noqa: N802
        block = self.live[int(number)]
        entries = ganesha_conf.entries([block])
        clients = [[e.client, 0, 0, 255, 1, e.rules.anonuid, e.rules.anongid, 0, 0, 0] for e in entries]
        return self.said([int(number), *block.values["path"], *block.values["pseudo"], "", clients])

    def AddExport(self, file: str, expression: str) -> Answer:  # noqa: N802
        return self.load(file, expression, present=False)

    def UpdateExport(self, file: str, expression: str) -> Answer:  # noqa: N802
        return self.load(file, expression, present=True)

    def RemoveExport(self, number: str) -> Answer:  # noqa: N802
        if int(number) not in self.live:
            return 1, "", "lookup_export failed with Export id not found"
        del self.live[int(number)]
        return self.said([])

    def load(self, file: str, expression: str, present: bool) -> Answer:
        number = int(expression.partition("=")[2].rstrip(")"))
        blocks = ganesha_conf.parse(Path(file).read_text(), file)
        block = next(one for one in blocks if one.values["export_id"] == [str(number)])
        if (number in self.live) != present:
            return 1, "", f"export {number} is {'not ' if present else ''}active"
        self.live[number] = block
        return self.said(["1 exports"])

    def said(self, data: t.Any) -> Answer:
        return 0, json.dumps({"data": data}), ""

    def in_force(self) -> dict[str, set[str]]:
        entries = ganesha_conf.entries(self.live.values())
        return {entry.path: {e.client for e in entries if e.path == entry.path} for entry in entries}
