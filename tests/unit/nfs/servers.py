# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers to inject faults into. They keep the contract of exportfs and of NFS-Ganesha's D-Bus interface.

What is in force lies in a file: what a killed child did is seen afterwards.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._nfs import exportfs, exports5, ganesha_conf
from ansible_collections.mlops.platform.plugins.module_utils._nfs.backend import Backend
from ansible_collections.mlops.platform.plugins.module_utils._nfs.ganesha import Ganesha
from ansible_collections.mlops.platform.plugins.module_utils._nfs.kernel import Kernel
from ansible_collections.mlops.platform.plugins.module_utils._nfs.names import is_host

Answer = tuple[int, str, str]
Fault = t.Callable[[str], t.Optional[Answer]]


class Server:
    """What both have: the folder of drop-ins, what is in force, and a fault that may answer instead."""

    suffix = ""

    def __init__(self, base: Path) -> None:
        self.folder = base / "exports.d"
        self.main = base / "main"
        self.state = base / "state.json"
        # What the storage server's resolver knows.
        self.addresses: dict[str, str] = {}
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

    def resolve(self, name: str) -> frozenset[str]:
        """The addresses of a name."""
        return frozenset({self.addresses[name]}) if name in self.addresses else frozenset()

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
    """exportfs with its table, and nfsd."""

    suffix = ".exports"

    def prepare(self) -> None:
        self.main.touch()
        self.threads = self.main.with_name("threads")
        self.threads.write_text("8\n")
        self.table = ""
        # Hosts that exportfs shows by another name.
        self.canonical: dict[str, str] = {}

    @property
    def table(self) -> str:
        """What exportfs -s prints."""
        return t.cast("str", json.loads(self.state.read_text()))

    @table.setter
    def table(self, text: str) -> None:
        self.state.write_text(json.dumps(text))

    def backend(self) -> Backend:
        return Kernel(self.run, str(self.folder), str(self.main), str(self.threads), self.resolve)

    def answer(self, words: t.Sequence[str]) -> Answer:
        return self.export_all() if words[1] == "-ra" else (0, self.table, "")

    def export_all(self) -> Answer:
        """All files anew. A path that does not exist is complained about, a host that is not known left out."""
        files = [self.main, *sorted(self.folder.glob("*.exports"))]
        entries = [entry for path in files for entry in exports5.parse(path.read_text(), str(path))]
        said = [f"exportfs: Failed to stat {e.path}: No such file or directory" for e in entries if not self.exists(e)]
        self.table = "".join(self.line(entry) for entry in entries if self.known(entry.client))
        return (1 if said else 0), "", "\n".join(said)

    def exists(self, entry: exports5.Entry) -> bool:
        return Path(entry.path).exists()

    def known(self, client: str) -> bool:
        return not is_host(client) or client in self.addresses

    def line(self, entry: exports5.Entry) -> str:
        path = re.sub(r"[\s\\]", lambda match: f"\\{ord(match.group()):03o}", entry.path)
        options = ",".join(exports5.options_of(entry.rules))
        return f"{path}  {self.canonical.get(entry.client, entry.client)}({options})\n"

    def in_force(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for entry in exportfs.parse(self.table):
            found.setdefault(entry.path, set()).add(entry.client)
        return found


class GaneshaServer(Server):
    """The export manager with its exports."""

    suffix = ".conf"

    def prepare(self) -> None:
        self.folder.mkdir()
        self.main.write_text(f"%dir {self.folder}\n")
        self.live = {}

    @property
    def live(self) -> dict[int, ganesha_conf.Block]:
        """The exports by id."""
        return {int(number): block_of(data) for number, data in json.loads(self.state.read_text()).items()}

    @live.setter
    def live(self, blocks: dict[int, ganesha_conf.Block]) -> None:
        self.state.write_text(json.dumps(blocks))

    def backend(self) -> Backend:
        return Ganesha(self.run, str(self.folder), str(self.main), self.resolve)

    def answer(self, words: t.Sequence[str]) -> Answer:
        method, arguments = words[7], words[9:]
        return t.cast("Answer", getattr(self, method)(*arguments))

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
        live = self.live
        if int(number) not in live:
            return 1, "", "lookup_export failed with Export id not found"
        path = live.pop(int(number)).values["path"][0]
        if any(block.values["path"][0].startswith(path + "/") for block in live.values()):
            return 1, "", "export has submounts"
        self.live = live
        return self.said([])

    def load(self, file: str, expression: str, present: bool) -> Answer:
        number = int(expression.partition("=")[2].rstrip(")"))
        blocks = ganesha_conf.parse(Path(file).read_text(), file)
        block = next(one for one in blocks if one.values["export_id"] == [str(number)])
        live = self.live
        if (number in live) != present:
            return 1, "", f"export {number} is {'not ' if present else ''}active"
        self.live = {**live, number: block}
        return self.said(["1 exports"])

    def said(self, data: t.Any) -> Answer:
        return 0, json.dumps({"data": data}), ""

    def in_force(self) -> dict[str, set[str]]:
        entries = ganesha_conf.entries(self.live.values())
        return {entry.path: {e.client for e in entries if e.path == entry.path} for entry in entries}


def block_of(data: t.Any) -> ganesha_conf.Block:
    """A block from JSON."""
    return ganesha_conf.Block(data[0], data[1], [block_of(one) for one in data[2]])
