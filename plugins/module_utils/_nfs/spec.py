# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""What exports are, for every backend, and how a module's parameters become them. Pure but for the look-up of users."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .options import mountpoint, parse_options
from .values import RefusedError, absolute_path, client, is_number, mode, relative_path, size

NOBODY = 65534
User = t.Callable[[str], int]
Params = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder below the root and how it must be."""

    path: str
    uid: int
    gid: int
    mode: int
    field: str = dataclasses.field(default="", compare=False)
    # Nobody named it: it only leads to an export.
    implied: bool = dataclasses.field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.path} {self.uid}:{self.gid} {self.mode:04o}"


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a client may do in an export."""

    access: str = "ro"
    squash: str = "root"
    anonuid: int = NOBODY
    anongid: int = NOBODY
    sync: bool = True
    secure: bool = True
    others: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[t.Any, ...]:
        """Who the files belong to: two exports of one file must agree in this."""
        return (self.squash,) if self.squash == "none" else (self.squash, self.anonuid, self.anongid)


@dataclasses.dataclass(frozen=True)
class Export:
    """A path, who may mount it, and how."""

    path: str
    clients: tuple[str, ...]
    rules: Rules
    quota: int = 0
    field: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """All that one call wants."""

    name: str
    root: str
    folder: str
    exports: tuple[Export, ...]
    folders: tuple[Folder, ...]


def wanted(params: Params, user: User, group: User) -> Wanted:
    """The parameters as exports and folders; refuses what is wrong."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", params["name"]) is None:
        raise RefusedError(
            f"name: '{params['name']}' is not a name; write at most 63 of letters, digits, '.', '_' and '-'"
        )
    root = absolute_path(params["root"], "root")
    folder = relative_path(params["folder"], "folder") if params["folder"] else ""
    if params["state"] == "present" and not params["exports"]:
        raise RefusedError("exports: the list is empty; to remove every export of this name set state to absent")
    exports: list[Export] = []
    folders: dict[str, Folder] = {}
    for index, item in enumerate(params["exports"] or []):
        export, own = _export(item, f"exports[{index}]", root, params["allow_everyone"], user, group)
        _check_folder(export, own[0].path, folder)
        _check_against(export, exports)
        exports.append(export)
        for one in own:
            _add_folder(folders, one)
    for parent in _parents(list(folders.values()), mode(params["parent_mode"], "parent_mode")):
        folders.setdefault(parent.path, parent)
    ordered = tuple(folders[path] for path in sorted(folders, key=lambda path: path.split("/")))
    return Wanted(params["name"], root, folder, tuple(exports), ordered)


def _add_folder(folders: dict[str, Folder], one: Folder) -> None:
    same = folders.get(one.path)
    if same is not None:
        raise RefusedError(f"{one.field}: '{one.path}' is named by {same.field} too; remove one")
    folders[one.path] = one


def _parents(folders: t.Iterable[Folder], bits: int) -> t.Iterator[Folder]:
    for folder in folders:
        parts = folder.path.split("/")
        for depth in range(1, len(parts)):
            yield Folder("/".join(parts[:depth]), 0, 0, bits, folder.field, implied=True)


def _check_folder(export: Export, path: str, folder: str) -> None:
    if folder and not inside(path, folder):
        raise RefusedError(f"{export.field}.path: '{path}' is not in the folder '{folder}'; move it or change folder")


def _check_against(export: Export, others: t.Iterable[Export]) -> None:
    for other in others:
        if other.path == export.path:
            raise RefusedError(f"{export.field}.path: '{export.path}' is the path of {other.field} too; remove one")
        inner = inside(export.path, other.path) or inside(other.path, export.path)
        if inner and other.rules.identity != export.rules.identity:
            raise RefusedError(
                f"{export.field}.path: '{export.path}' and {other.field} '{other.path}' lie inside one another "
                "with other squash rules; give them the same squash, anonuid and anongid, or separate them"
            )


def on_mountpoint(wish: Wanted, point: str) -> Wanted:
    """The exports with the option that keeps the kernel from serving them while nothing is mounted there."""

    def guarded(export: Export) -> Export:
        if any(re.match(r"(mp|mountpoint)(=|$)", word) for word in export.rules.others):
            return export
        others = tuple(sorted((*export.rules.others, f"mountpoint={mountpoint(point)}")))
        return dataclasses.replace(export, rules=dataclasses.replace(export.rules, others=others))

    return dataclasses.replace(wish, exports=tuple(guarded(export) for export in wish.exports))


def inside(path: str, folder: str) -> bool:
    """Whether path is folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _export(
    item: Params, field: str, root: str, everyone: bool, user: User, group: User
) -> tuple[Export, list[Folder]]:
    path = relative_path(item["path"], f"{field}.path")
    own = Folder(
        path,
        _number(item["owner"], f"{field}.owner", "user", user),
        _number(item["group"], f"{field}.group", "group", group),
        mode(item["mode"], f"{field}.mode"),
        f"{field}.path",
    )
    names = item["clients"] or []
    if not names:
        raise RefusedError(f"{field}.clients: the list is empty; name the networks or hosts that may mount")
    clients = [client(name, f"{field}.clients[{index}]", everyone) for index, name in enumerate(names)]
    for name in clients:
        if clients.count(name) > 1:
            raise RefusedError(f"{field}.clients: '{name}' is there twice; remove one")
    rules = _rules(item, field, own)
    export = Export(f"{root}/{path}", tuple(clients), rules, size(item["quota"], f"{field}.quota"), field)
    return export, [own, *_directories(item, field, own, user, group)]


def _directories(item: Params, field: str, own: Folder, user: User, group: User) -> t.Iterator[Folder]:
    for index, sub in enumerate(item["directories"] or []):
        at = f"{field}.directories[{index}]"
        yield Folder(
            f"{own.path}/{relative_path(sub['path'], f'{at}.path')}",
            own.uid if sub["owner"] is None else _number(sub["owner"], f"{at}.owner", "user", user),
            own.gid if sub["group"] is None else _number(sub["group"], f"{at}.group", "group", group),
            own.mode if sub["mode"] is None else mode(sub["mode"], f"{at}.mode"),
            f"{at}.path",
        )


def _number(value: str, field: str, kind: str, look_up: User) -> int:
    text = str(value)
    if is_number(text):
        if int(text) >= 2**32 - 1:
            raise RefusedError(f"{field}: '{text}' is too large for an id; write a number below 4294967295")
        return int(text)
    try:
        return look_up(text)
    except KeyError:
        raise RefusedError(
            f"{field}: '{text}' is neither a number nor a {kind} of the storage server; write the number"
        ) from None


def _rules(item: Params, field: str, own: Folder) -> Rules:
    given, others = parse_options(item["options"] or [], f"{field}.options")
    for key in ("access", "squash", "anonuid", "anongid", "sync", "secure"):
        if item[key] is None:
            continue
        if key in given:
            raise RefusedError(f"{field}.options: '{key}' is given in options and as {field}.{key}; keep one of them")
        given[key] = item[key]
    squash = given.get("squash", "root")
    for key, owner in (("anonuid", own.uid), ("anongid", own.gid)):
        value = given.setdefault(key, owner if squash == "all" and owner else NOBODY)
        if not 0 <= value < 2**32 - 1:
            raise RefusedError(f"{field}.{key}: {value} is not an id; write a number from 0 to 4294967294")
    return Rules(
        access=given.get("access", "rw"),
        squash=squash,
        anonuid=given["anonuid"],
        anongid=given["anongid"],
        sync=given.get("sync", True),
        secure=given.get("secure", True),
        others=tuple(sorted(others)),
    )
