# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""What exportfs says: the table of exports, how it differs from a wish, and whom it complains about. Pure."""

from __future__ import annotations

import re
import typing as t

from .exports5 import Entry, normal_client, rules_of, unescape
from .names import Resolve, is_host
from .spec import Export, Rules
from .values import RefusedError

_LINE = re.compile(r"(?P<path>[^ \t]+)[ \t]+(?P<client>[^ \t()]+)\((?P<options>.*)\)[ \t]*")


def parse(text: str) -> list[Entry]:
    """The entries of exportfs -s. It escapes blanks and backslashes, and prints quotes and # as they are."""
    found = []
    for line in filter(None, text.split("\n")):
        match = _LINE.fullmatch(line)
        if match is None:
            raise RefusedError(f"backend: exportfs -s says '{line}', which cannot be read; correct that export")
        rules = rules_of(match["options"].split(","))
        found.append(Entry(unescape(match["path"]), normal_client(match["client"]), rules))
    return found


def differences(export: Export, table: t.Iterable[Entry], resolve: Resolve) -> t.Iterator[str]:
    """Where the table differs from the wish, in words."""
    live = [entry for entry in table if entry.path == export.path]
    pairs = _pairs(export.clients, live, resolve)
    for client in export.clients:
        if client not in pairs:
            yield f"{export.path} is not exported to {client}"
        elif not _same(export.rules, pairs[client].rules):
            yield f"{export.path} is exported to {client} with other options"
    for entry in live:
        if entry not in pairs.values():
            yield f"{export.path} is still exported to {entry.client}"


def _pairs(clients: t.Sequence[str], live: t.Sequence[Entry], resolve: Resolve) -> dict[str, Entry]:
    """Each client with its entry. exportfs shows a host by its canonical name."""
    pairs = {entry.client: entry for entry in live if entry.client in clients}
    hosts = [entry for entry in live if is_host(entry.client)]
    names = {name: resolve(name) for name in clients if name not in pairs and is_host(name)}
    for name, addresses in names.items():
        same = next((entry for entry in hosts if resolve(entry.client) & addresses), None)
        if same is not None:
            pairs[name] = same
    # The addresses of a name may change from answer to answer: then an entry that nobody explains stands for it.
    rest = [entry for entry in hosts if entry not in pairs.values()]
    unmatched = [name for name, addresses in names.items() if addresses and name not in pairs]
    pairs.update(zip(unmatched, rest))
    return pairs


def _same(wish: Rules, found: Rules) -> bool:
    security = [{word for word in rules.others if word.startswith("sec=")} for rules in (wish, found)]
    ours = (wish.access, wish.identity, wish.sync, wish.secure, security[0] - {"sec=sys"})
    return ours == (found.access, found.identity, found.sync, found.secure, security[1])


def names_one(said: str, paths: t.Iterable[str]) -> bool:
    """Whether a complaint is about one of the paths. exportfs fails for the broken export of anybody."""
    return any(re.search(rf"(?<!\S){re.escape(path)}(?![^\s:;,'\"])", said) for path in paths)
