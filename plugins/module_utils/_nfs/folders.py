# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Folders below a root, by opened directories only: nothing that a client renames meanwhile can lead out of it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from .mounts import mount_points
from .quota import uninherit
from .spec import Folder
from .values import RefusedError

_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Undo = t.Callable[[], None]


def read_folder(root_fd: int, folder: Folder) -> Folder | None:
    """The folder as it is; None where it does not exist. Refuses links and files in its way."""
    with contextlib.ExitStack() as stack:
        try:
            fd = descend(root_fd, folder.path, folder.field, stack)
        except FileNotFoundError:
            return None
        found = os.fstat(fd)
        return Folder(folder.path, found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def descend(root_fd: int, path: str, field: str, stack: contextlib.ExitStack) -> int:
    """Open a folder part by part without following links."""
    fd, walked = root_fd, ""
    for part in path.split("/"):
        walked = f"{walked}/{part}" if walked else part
        try:
            fd = os.open(part, _DIR, dir_fd=fd)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            kind = "a symbolic link" if _is_link(part, fd) else "not a folder"
            raise RefusedError(f"{field}: '{walked}' is {kind}; move it away or name another path") from None
        stack.callback(os.close, fd)
    return fd


def _is_link(part: str, fd: int) -> bool:
    return stat.S_ISLNK(os.stat(part, dir_fd=fd, follow_symlinks=False).st_mode)


def open_root(root: str) -> int:
    """Open the root; refuses a missing one, a link and a file."""
    try:
        fd = os.open(root, _DIR)
    except FileNotFoundError:
        raise RefusedError(f"root: '{root}' does not exist on the storage server; mount its disk or make it") from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        raise RefusedError(f"root: '{root}' is a symbolic link or not a folder; name the folder itself") from None
    real = os.path.realpath(root)
    if real != root:
        os.close(fd)
        raise RefusedError(f"root: '{root}' leads through a symbolic link; write '{real}'")
    return fd


def ensure(root_fd: int, folder: Folder, undo: list[Undo]) -> None:
    """Make the last part of the folder, or give it owner and mode. Undo gets each way back before the change."""
    parent, _, name = folder.path.rpartition("/")
    with contextlib.ExitStack() as stack:
        parent_fd = descend(root_fd, parent, folder.field, stack) if parent else root_fd
        if _mkdir(name, parent_fd):
            undo.append(lambda: _unmake(root_fd, folder))
        fd = descend(parent_fd, name, folder.field, stack)
        before = os.fstat(fd)
        old = Folder(folder.path, before.st_uid, before.st_gid, stat.S_IMODE(before.st_mode), folder.field)
        undo.append(lambda: _restore(root_fd, old))
        os.fchown(fd, folder.uid, folder.gid)
        os.fchmod(fd, folder.mode)


def _mkdir(name: str, parent_fd: int) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=parent_fd)
    except FileExistsError:
        return False
    return True


def _unmake(root_fd: int, folder: Folder) -> None:
    parent, _, name = folder.path.rpartition("/")
    with contextlib.ExitStack() as stack:
        os.rmdir(name, dir_fd=descend(root_fd, parent, folder.field, stack) if parent else root_fd)


def _restore(root_fd: int, old: Folder) -> None:
    with contextlib.ExitStack() as stack:
        fd = descend(root_fd, old.path, old.field, stack)
        os.fchown(fd, old.uid, old.gid)
        os.fchmod(fd, old.mode)


def check_purge(root: str, root_fd: int, path: str) -> bool:
    """Whether there is something to purge at an absolute path; refuses every path that must not be purged."""
    if path == root or not path.startswith(root + "/"):
        raise RefusedError(f"purge_data: '{path}' is not below the root '{root}'; remove it by hand if you must")
    for point in mount_points():
        if point == path or point.startswith(path + "/"):
            raise RefusedError(f"purge_data: '{point}' is a mount point; unmount it first")
    relative = path[len(root) + 1 :]
    return read_folder(root_fd, Folder(relative, 0, 0, 0, "purge_data")) is not None


def purge(root_fd: int, relative: str) -> None:
    """Delete a folder with all that is in it, then those of its parents that are empty."""
    with contextlib.ExitStack() as stack:
        parent, _, name = relative.rpartition("/")
        try:
            parent_fd = descend(root_fd, parent, "purge_data", stack) if parent else root_fd
            fd = descend(parent_fd, name, "purge_data", stack)
        except FileNotFoundError:
            return
        if _mount_id(fd) != _mount_id(parent_fd):
            raise RefusedError(f"purge_data: '{relative}' is a mount point; unmount it first")
        uninherit(fd)
        _empty(fd)
        os.rmdir(name, dir_fd=parent_fd)
    _remove_empty(root_fd, parent)


def _remove_empty(root_fd: int, path: str) -> None:
    while path:
        parent, _, name = path.rpartition("/")
        with contextlib.ExitStack() as stack:
            try:
                os.rmdir(name, dir_fd=descend(root_fd, parent, "purge_data", stack) if parent else root_fd)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOENT):
                    raise
                return
        path = parent


def _mount_id(fd: int) -> str:
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith("mnt_id:"))


def _empty(top: int) -> None:
    """Empty a folder of any depth with two open folders: what lies deeper is moved up first."""
    mark, number = os.urandom(8).hex(), 0
    names = os.listdir(top)
    while names:
        for name in names:
            child = _unlink_or_open(top, name)
            if child is None:
                continue
            try:
                for inner in os.listdir(child):
                    deeper = _unlink_or_open(child, inner)
                    if deeper is None:
                        continue
                    os.close(deeper)
                    number += 1
                    os.rename(inner, f".purge-{mark}-{number}", src_dir_fd=child, dst_dir_fd=top)
            finally:
                os.close(child)
            os.rmdir(name, dir_fd=top)
        names = os.listdir(top)


def _unlink_or_open(parent: int, name: str) -> int | None:
    """Remove what is not a folder; a folder is opened, and refused when it is another mount."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent)
        return None
    fd = os.open(name, _DIR, dir_fd=parent)
    if _mount_id(fd) != _mount_id(parent):
        os.close(fd)
        raise RefusedError(f"purge_data: '{name}' is a mount point; unmount it first")
    return fd
