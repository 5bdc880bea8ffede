# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Which limits a run sets, and which folders it gives to which project. Reads, never writes."""

from __future__ import annotations

import contextlib
import typing as t

from . import quota
from .dropin import PROJECT_IDS, DropIn, numbers
from .folders import descend
from .mounts import filesystem
from .spec import Export, inside


class QuotaStep(t.NamedTuple):
    """A limit to set, in bytes; the folder joins a project first where join names one, without what is spared."""

    path: str
    device: str
    project: int
    limit: int
    before: int
    join: int
    spared: frozenset[str]


class Quotas(t.NamedTuple):
    """Steps, the project of each limited path, and warnings where nothing can be limited."""

    steps: list[QuotaStep]
    projects: dict[str, int]
    warnings: list[str]


def plan(
    exports: t.Iterable[Export],
    root: str,
    found: tuple[DropIn | None, t.Sequence[DropIn]],
    root_fd: int | None,
    system_ids: t.Iterable[int],
) -> Quotas:
    """From the wish, the drop-in that is there with those of others, and what the file system says."""
    limited = {export.path: export.quota for export in exports if export.quota}
    places = {path: filesystem(path) for path in limited}
    warnings = sorted({quota.remedy(place) for place in places.values() if not place.quota})
    kept = _projects(found[0])
    foreign = {path: number for other in found[1] for path, number in _projects(other).items()}
    taken = {*foreign.values(), *system_ids}
    projects = numbers([path for path in limited if places[path].quota], kept, taken, PROJECT_IDS)
    held = {**foreign, **projects}
    steps = [_limit(path, limited[path], held, root, root_fd) for path in sorted(projects)]
    gone = sorted(path for path in kept if path not in projects and filesystem(path).quota)
    steps += [_lift(path, kept[path], held, root, root_fd) for path in gone]
    return Quotas([step for step in steps if step.join or step.limit != step.before], projects, warnings)


def _projects(found: DropIn | None) -> dict[str, int]:
    return dict(found.header.projects) if found and found.header else {}


def _limit(path: str, limit: int, held: t.Mapping[str, int], root: str, root_fd: int | None) -> QuotaStep:
    project = held[path]
    blocks = -(-limit // 1024) * 1024
    device = filesystem(path).device
    before = quota.usage(device, project).limit
    # A new limit: parts of the folder may have been in other projects since the last one.
    join = project if not before or _project(root_fd, path, root) != project else 0
    return QuotaStep(path, device, project, blocks, before, join, _spared(path, held))


def _lift(path: str, project: int, held: t.Mapping[str, int], root: str, root_fd: int | None) -> QuotaStep:
    """No limit any more; a folder in another limited one counts there from now on."""
    outer = max((one for one in held if inside(path, one)), key=len, default="")
    join = held[outer] if outer and _project(root_fd, path, root) == project else 0
    device = filesystem(path).device
    return QuotaStep(path, device, project, 0, quota.usage(device, project).limit, join, _spared(path, held))


def _spared(path: str, held: t.Iterable[str]) -> frozenset[str]:
    return frozenset(one[len(path) + 1 :] for one in held if one != path and inside(one, path))


def _project(root_fd: int | None, path: str, root: str) -> int:
    """The project of a folder; 0 where there is no folder."""
    with contextlib.ExitStack() as stack:
        try:
            return (
                quota.project_of(descend(root_fd, path[len(root) + 1 :], "quota", stack)) if root_fd is not None else 0
            )
        except FileNotFoundError:
            return 0
