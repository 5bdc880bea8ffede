# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""What the storage server holds under each name, and what stands in the way of a wish. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from .exports5 import Entry
from .spec import Export, Wanted, inside
from .values import RefusedError

MARK = "# mlops.platform.nfs_exports: "
EXPORT_IDS = (1024, 65535)
PROJECT_IDS = (1 << 20, 1 << 30)


@dataclasses.dataclass(frozen=True)
class Header:
    """Whose drop-in it is, and the numbers that must outlive a run."""

    name: str
    environment: str = ""
    identity: str = ""
    root: str = ""
    folder: str = ""
    projects: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    purging: tuple[str, ...] = ()

    def render(self) -> str:
        """The first lines of the drop-in; both kinds of server take them for comments."""
        fields = {**dataclasses.asdict(self), "purging": list(self.purging), "projects": dict(self.projects)}
        return (
            "# Managed by Ansible: changes made by hand are lost.\n" + MARK + json.dumps(fields, sort_keys=True) + "\n"
        )


@dataclasses.dataclass(frozen=True)
class DropIn:
    """One file with exports; it has no header when somebody else wrote it."""

    source: str
    text: str
    entries: tuple[Entry, ...]
    header: Header | None = None
    ids: t.Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"'{self.header.name}' ({self.source})" if self.header else self.source

    @property
    def paths(self) -> list[str]:
        """The exported paths, once each, in the file's order."""
        return list(dict.fromkeys(entry.path for entry in self.entries))

    @property
    def exports(self) -> list[Export]:
        """The entries as exports; every client of a path has the same rules in what this collection writes."""
        rules = {entry.path: entry.rules for entry in reversed(self.entries)}
        clients = {path: tuple(entry.client for entry in self.entries if entry.path == path) for path in rules}
        return [Export(path, clients[path], rules[path]) for path in self.paths]


def header_of(text: str, source: str) -> Header | None:
    """The header in a file's text; None where there is none."""
    for line in text.splitlines():
        if not line.startswith(MARK):
            continue
        try:
            fields = json.loads(line[len(MARK) :])
            return Header(**{**fields, "purging": tuple(fields["purging"])})
        except (ValueError, TypeError, KeyError):
            raise RefusedError(f"{source}: the header line cannot be read; restore it or remove the file") from None
    return None


def check_owner(current: DropIn | None, name: str, environment: str, identity: str, previous: str | None) -> None:
    """Refuse a drop-in that another cluster made."""
    if current is None:
        return
    if current.header is None:
        raise RefusedError(f"name: {current.source} was not made by this module; choose another name or move that file")
    found = current.header
    if (found.environment, found.identity) == (environment, identity) or found.identity == previous is not None:
        return
    raise RefusedError(
        f"name: '{name}' on the storage server belongs to environment '{found.environment}', identity "
        f"'{found.identity}', and this run is for environment '{environment}', identity '{identity}'; choose another "
        f"name or, if it is the same cluster with a new address, set previous_identity to '{found.identity}'"
    )


def check_overlaps(wanted: Wanted, others: t.Iterable[DropIn]) -> None:
    """Refuse paths and folders that another name holds."""
    for other in others:
        for export in wanted.exports:
            for entry in other.entries:
                _check_entry(wanted.name, export, entry, other)
        _check_folders(wanted, other)


def _check_folders(wanted: Wanted, other: DropIn) -> None:
    if other.header is None:
        return
    mine = f"{wanted.root}/{wanted.folder}" if wanted.folder else ""
    theirs = f"{other.header.root}/{other.header.folder}" if other.header.folder else ""
    if mine and theirs and (inside(mine, theirs) or inside(theirs, mine)):
        raise RefusedError(
            f"folder: '{mine}' of '{wanted.name}' and '{theirs}' of {other.label} overlap; "
            "every cluster needs a folder of its own"
        )
    for export in wanted.exports if theirs else ():
        if inside(export.path, theirs):
            raise RefusedError(
                f"{export.field}.path: '{export.path}' of '{wanted.name}' lies in '{theirs}', the folder of "
                f"{other.label}; export it there or move it"
            )
    for path in other.paths if mine else ():
        if inside(path, mine):
            raise RefusedError(
                f"folder: '{path}' of {other.label} lies in '{mine}', the folder of '{wanted.name}'; "
                "every cluster needs a folder of its own"
            )


def _check_entry(name: str, export: Export, entry: Entry, other: DropIn) -> None:
    if export.path == entry.path:
        raise RefusedError(
            f"{export.field}.path: '{export.path}' of '{name}' is exported by {other.label} too; "
            "remove it from one of them"
        )
    nested = inside(export.path, entry.path) or inside(entry.path, export.path)
    if nested and entry.rules.identity != export.rules.identity:
        raise RefusedError(
            f"{export.field}.path: '{export.path}' of '{name}' and '{entry.path}' of {other.label} lie inside one "
            "another with other squash rules; give them the same, or separate them"
        )


def numbers(
    paths: t.Iterable[str], kept: t.Mapping[str, int], taken: t.Iterable[int], bounds: tuple[int, int]
) -> dict[str, int]:
    """A number for each path: the one it has, else one from the path's hash that nobody else has."""
    result: dict[str, int] = {}
    used = set(taken) | set(kept.values())
    for path in paths:
        number = kept.get(path) or _free(path, used, bounds)
        used.add(number)
        result[path] = number
    return result


def _free(path: str, used: set[int], bounds: tuple[int, int]) -> int:
    low, high = bounds
    span = high - low
    start = int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") % span
    for step in range(span):
        candidate = low + (start + step) % span
        if candidate not in used:
            return candidate
    raise RefusedError(f"exports: no free number is left between {low} and {high}; remove exports that are not needed")
