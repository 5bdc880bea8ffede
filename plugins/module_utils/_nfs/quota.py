# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Project quota of XFS and ext4, by the kernel's own calls: no tools, one way for both."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import struct
import typing as t

from .mounts import Filesystem

_GET_ATTR = 0x801C581F
_SET_ATTR = 0x401C5820
_INHERIT = 0x00000200
_ATTR = struct.Struct("IIIII8s")
_DISK = struct.Struct("QQQQQQQQI4x")
_Q_GET = 0x800007
_Q_SET = 0x800008
_PROJECT = 2
_BLOCK = 1024
_LIMITS_VALID = 1


class Usage(t.NamedTuple):
    """What a project may hold and holds, in bytes; a limit of 0 is none."""

    limit: int
    used: int


def remedy(found: Filesystem) -> str:
    """What to mount so that quotas can be enforced."""
    where = f"quota: {found.mount} ({found.kind} on {found.device}) has no project quota, so sizes are not enforced; "
    if found.kind == "ext4":
        return where + "run tune2fs -O project,quota -Q prjquota on it while unmounted, and mount it with prjquota"
    if found.kind == "xfs":
        return where + "mount it with the option pquota (a remount is not enough)"
    return where + "put the root on XFS mounted with pquota"


def project_of(fd: int) -> int:
    """The project of an opened file or folder, 0 for none or where there are no projects."""
    found = _attributes(fd)
    return found[3] if found else 0


def assign(fd: int, project: int, spared: t.Container[str] = ()) -> None:
    """Give an opened folder and all that is in it to a project; what is made in it later inherits it.

    Spared are folders in it, by relative path, that belong to other projects. Clients may write and delete meanwhile.
    """
    for directory, names, files, at in os.fwalk(".", dir_fd=fd, follow_symlinks=False):
        names[:] = [name for name in names if os.path.normpath(f"{directory}/{name}") not in spared]
        _set_project(at, project, inherit=True)
        for name in files:
            _assign_file(name, at, project)


def _assign_file(name: str, at: int, project: int) -> None:
    """Only a plain file: to open a device or a pipe may do something."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            return
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return
        raise
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            _set_project(fd, project, inherit=False)
    finally:
        os.close(fd)


def uninherit(fd: int) -> None:
    """Let folders of other projects be moved into this one, where the file system has projects."""
    found = _attributes(fd)
    if found:
        _set_attributes(fd, (found[0] & ~_INHERIT, *found[1:]))


def _set_project(fd: int, project: int, inherit: bool) -> None:
    found = _attributes(fd)
    if found:
        flags = found[0] | _INHERIT if inherit else found[0]
        _set_attributes(fd, (flags, *found[1:3], project, *found[4:]))


def _attributes(fd: int) -> tuple[t.Any, ...]:
    """Flags, extent size hint, number of extents, project and more; nothing where the file system has no projects."""
    try:
        return _ATTR.unpack(fcntl.ioctl(fd, _GET_ATTR, bytes(_ATTR.size)))
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
            return ()
        raise


def _set_attributes(fd: int, values: tuple[t.Any, ...]) -> None:
    fcntl.ioctl(fd, _SET_ATTR, _ATTR.pack(*values))


def usage(device: str, project: int) -> Usage:
    """Limit and use of a project."""
    buffer = ctypes.create_string_buffer(_DISK.size)
    try:
        _quotactl(_Q_GET, device, project, buffer)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return Usage(0, 0)
        raise
    hard, _, used = _DISK.unpack(buffer.raw)[:3]
    return Usage(hard * _BLOCK, used)


def set_limit(device: str, project: int, limit: int) -> None:
    """Limit a project to so many bytes; 0 lifts the limit."""
    packed = _DISK.pack(-(-limit // _BLOCK), 0, 0, 0, 0, 0, 0, 0, _LIMITS_VALID)
    _quotactl(_Q_SET, device, project, ctypes.create_string_buffer(packed, len(packed)))


def _quotactl(command: int, device: str, project: int, buffer: ctypes.Array[ctypes.c_char]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_int((command << 8 | _PROJECT) & 0xFFFFFFFF)
    if library.quotactl(number, os.fsencode(device), ctypes.c_int(project), buffer) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), device)
