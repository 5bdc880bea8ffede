# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""From what is to what is wanted: one plan, for check mode and for the real run alike. Reads, never writes."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from . import quotas
from .backend import Backend
from .dropin import DropIn, Header, check_overlaps, check_owner
from .exports5 import DEFAULTS
from .folders import check_purge, read_folder
from .mounts import mount_points
from .quotas import QuotaStep
from .spec import Export, Folder, Wanted, inside
from .values import RefusedError, absolute_path, human


@dataclasses.dataclass(frozen=True)
class Request:
    """The parameters that are not exports."""

    state: str
    environment: str
    identity: str
    previous_identity: str | None
    purge: bool
    mountpoint: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run does. Nothing to do when there are no changes."""

    wanted: Wanted
    current: DropIn | None
    header: Header
    text: str | None
    ids: t.Mapping[str, int]
    folders: t.Sequence[tuple[Folder | None, Folder]]
    quotas: t.Sequence[QuotaStep]
    touched: t.AbstractSet[str]
    leaving: t.AbstractSet[str]
    purge: t.Sequence[str]
    changes: t.Sequence[str]
    warnings: t.Sequence[str]

    @property
    def exports(self) -> t.Sequence[Export]:
        """The exports that stay."""
        return self.wanted.exports if self.text is not None else ()


def make(request: Request, wanted: Wanted, backend: Backend, root_fd: int | None, system_ids: t.Iterable[int]) -> Plan:
    """Look at the server and decide; refuses what stands in the way. Without root_fd there is no root yet."""
    present = request.state == "present"
    if present:
        _check_mount(request.mountpoint, wanted.root)
        backend.check(wanted.exports)
    found = backend.read()
    path = backend.path(wanted.name)
    current = next((one for one in found if one.source == path), None)
    others = [one for one in found if one.source != path]
    check_owner(current, wanted.name, request.environment, request.identity, request.previous_identity)
    exports = wanted.exports if present else ()
    if present:
        check_overlaps(wanted, others)
    leaving = _leaving(wanted, current, others, exports, backend.live())
    ids = backend.number(exports, current, others)
    folders = _folders(wanted, others, root_fd) if present else []
    limits = quotas.plan(exports, wanted.root, (current, others), root_fd, system_ids)
    header = Header(wanted.name, request.environment, request.identity, wanted.root, wanted.folder, limits.projects)
    text = backend.render(header, exports, ids) if present else None
    if text is not None:
        _check_text(backend.parse(text, path), header, exports)
    purge = _purge(request, wanted, current, others, exports, root_fd)
    drift = backend.drift(exports, ids, leaving)
    touched = _touched(exports, current) | set(drift)
    changes = _words(text, current, folders, limits.steps, touched, leaving, drift, exports, purge)
    return Plan(
        wanted, current, header, text, ids, folders, limits.steps, touched, leaving, purge, changes, limits.warnings
    )  # fmt: skip


def _check_mount(mountpoint: str, root: str) -> None:
    if not mountpoint:
        return
    point = absolute_path(mountpoint, "mountpoint")
    if not inside(root, point):
        raise RefusedError(f"mountpoint: '{root}' does not lie on '{point}'; name the mount point of the root's disk")
    if point not in mount_points():
        raise RefusedError(f"mountpoint: nothing is mounted on '{point}'; mount the disk before anything is written")


def _leaving(
    wanted: Wanted, current: DropIn | None, others: t.Iterable[DropIn], exports: t.Iterable[Export], live: set[str]
) -> set[str]:
    """Paths nobody wants: this name exported them, or a killed run left them in force below the root."""
    mine = set(current.paths) if current else set()
    mine |= {path for path in live if inside(path, wanted.root)}
    held = {path for other in others for path in other.paths}
    return mine - {export.path for export in exports} - held


def _check_text(written: DropIn, header: Header, exports: t.Sequence[Export]) -> None:
    """Refuse a file that does not mean what is wanted when it is read back."""
    touched = _touched(exports, written)
    field = next((f"{export.field}.path: '{export.path}'" for export in exports if export.path in touched), "")
    if field or len(written.paths) != len(exports) or written.header != header:
        raise RefusedError(f"{field or 'name: the header'} cannot be written in the server's file; use plain names")


def _folders(wanted: Wanted, others: t.Iterable[DropIn], root_fd: int | None) -> list[tuple[Folder | None, Folder]]:
    """Folders that differ. Those that only lead to an export, and lie in another name's, are that name's affair."""
    held = [path for other in others for path in other.paths]
    pairs = [(None if root_fd is None else read_folder(root_fd, folder), folder) for folder in wanted.folders]
    return [
        (before, after)
        for before, after in pairs
        if before is None
        or (before != after and not (after.implied and any(inside(f"{wanted.root}/{after.path}", one) for one in held)))
    ]


def _purge(
    request: Request,
    wanted: Wanted,
    current: DropIn | None,
    others: t.Iterable[DropIn],
    exports: t.Sequence[Export],
    root_fd: int | None,
) -> list[str]:
    if not request.purge or root_fd is None:
        return []
    gone = set(current.paths) if current else set()
    gone |= set(current.header.purging) if current and current.header else set()
    if request.state == "absent":
        gone |= {export.path for export in wanted.exports}
    gone -= {export.path for export in exports}
    kept = {path: other.label for other in others for path in other.paths}
    kept.update({export.path: f"'{wanted.name}'" for export in exports})
    for path in gone:
        for other, label in kept.items():
            if inside(path, other) or inside(other, path):
                raise RefusedError(f"purge_data: '{path}' and '{other}', exported by {label}, lie inside one another")
    return [path for path in sorted(gone) if check_purge(wanted.root, root_fd, path)]


def _touched(exports: t.Iterable[Export], current: DropIn | None) -> set[str]:
    """Exports whose clients or rules are not those of the file."""
    found: dict[str, set[t.Any]] = {}
    for entry in current.entries if current else ():
        found.setdefault(entry.path, set()).add((entry.client, _essence(entry.rules)))
    return {
        export.path
        for export in exports
        if found.get(export.path) != {(client, _essence(export.rules)) for client in export.clients}
    }


def _essence(rules: t.Any) -> t.Any:
    others = tuple(word for word in rules.others if word not in DEFAULTS)
    return (rules.access, rules.identity, rules.sync, rules.secure, others)


def _words(
    text: str | None,
    current: DropIn | None,
    folders: t.Iterable[tuple[Folder | None, Folder]],
    quotas: t.Iterable[QuotaStep],
    touched: t.AbstractSet[str],
    leaving: t.AbstractSet[str],
    drift: t.Mapping[str, str],
    exports: t.Iterable[Export],
    purge: t.Iterable[str],
) -> list[str]:
    listed = set(current.paths) if current else set()
    words = [
        f"make folder {after}" if before is None else f"change folder {before} to {after}" for before, after in folders
    ]
    words += [f"limit {s.path} to {human(s.limit)}" if s.limit else f"lift the limit of {s.path}" for s in quotas]
    for export in exports:
        if export.path not in listed:
            words.append(f"export {export.path} to {', '.join(export.clients)}")
        elif export.path in touched:
            words.append(f"re-export {export.path}" + (f" ({drift[export.path]})" if export.path in drift else ""))
    words += [f"un-export {path}" for path in sorted(leaving) if path in listed or path in drift]
    words += [f"delete the data in {path}" for path in purge]
    if not words and text != (current.text if current else None):
        words.append("rewrite the drop-in" if text is not None else "remove the drop-in")
    return words


def diff(plan: Plan) -> dict[str, str]:
    """Before and after: the drop-in's lines, then folders and limits as far as they change."""
    before = [str(old) for old, _ in plan.folders if old] + [_limit(step.path, step.before) for step in plan.quotas]
    after = [str(new) for _, new in plan.folders] + [_limit(step.path, step.limit) for step in plan.quotas]
    before += [f"{path}: data" for path in plan.purge]
    reload = [f"{path}: not in force" for path in sorted(plan.touched) if plan.current and path in plan.current.paths]
    if plan.current and plan.text == plan.current.text:
        before += reload
    return {
        "before": "\n".join([(plan.current.text if plan.current else "").rstrip("\n"), *before, ""]).lstrip("\n"),
        "after": "\n".join([(plan.text or "").rstrip("\n"), *after, ""]).lstrip("\n"),
    }


def _limit(path: str, limit: int) -> str:
    return f"{path}: limit {human(limit) if limit else 'none'}"


def writable(root: str) -> None:
    """Refuse a root on which nothing can be made."""
    found = os.statvfs(root)
    if found.f_flag & os.ST_RDONLY:
        raise RefusedError(f"root: '{root}' is mounted read-only; mount it read-write")
    if found.f_bfree == 0 or (found.f_files and found.f_ffree == 0):
        raise RefusedError(f"root: the disk of '{root}' is full; free some space")
