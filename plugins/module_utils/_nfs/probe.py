# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Reads one file through an NFS server: by a real mount where this machine can, else in the server's own words."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import time
import typing as t

from .backend import Run, read_text
from .v4 import TEMPORARY, Client, NfsError

# What timeout(1) ends with.
_EXPIRED = (124, 137)


class Target(t.NamedTuple):
    """What to read and from where."""

    host: str
    port: int
    path: str
    file: str
    seconds: float


class UnreachableError(Exception):
    """The file could not be read. The message says what happened last."""


def can_mount(release: str) -> bool:
    """Whether the kernel has an NFSv4 client and the helper is installed."""
    if shutil.which("mount.nfs4") is None or shutil.which("unshare") is None:
        return False
    if "nfs4" in (read_text("/proc/filesystems") or "").split():
        return True
    return "/nfsv4.ko" in (read_text(f"/lib/modules/{release}/modules.dep") or "")


def will_mount(mount: str) -> bool:
    """Whether to mount: always, never, or as this machine can (auto)."""
    return mount == "always" or (mount == "auto" and can_mount(os.uname().release))


def read(target: Target, run: Run, mount: bool) -> bytes:
    """The file's content, by a mount or by the protocol."""
    return by_mount(target, run) if mount else by_protocol(target)


def by_mount(target: Target, run: Run) -> bytes:
    """Mount the export in a mount namespace of its own, read the file; the mount ends with the namespace."""
    # mount itself tries again while a server starts; it counts in minutes.
    options = f"ro,vers=4.1,port={target.port},soft,timeo=50,retrans=2,retry={-(-int(target.seconds) // 60)}"
    script = 'mount -t nfs4 -o "$1" "$2" "$3" && exec base64 "$3/$4"'
    folder = tempfile.mkdtemp(prefix="nfs_probe-")
    try:
        host = f"[{target.host}]" if ":" in target.host else target.host
        words = ["sh", "-c", script, "sh", options, f"{host}:{target.path}", folder, target.file]
        code, out, err = run(["timeout", "--kill-after=5", str(target.seconds), "unshare", "--mount", *words])
        if code in _EXPIRED:
            raise UnreachableError(f"no answer within {target.seconds} s")
        if code:
            raise UnreachableError(err.strip() or f"mount ended with {code}")
        return base64.b64decode(out)
    finally:
        os.rmdir(folder)


def by_protocol(target: Target) -> bytes:
    """Look the file up and read it over NFSv4.1; waits while the server is starting or in its grace period."""
    end = time.monotonic() + target.seconds
    pause = 0.05
    while True:
        try:
            return _read(target, max(0.1, end - time.monotonic()))
        except NfsError as error:
            last: Exception = error
            again = error.status in TEMPORARY
        except ValueError as error:
            last, again = error, False
        except OSError as error:
            last, again = error, True
        if not again or time.monotonic() + pause > end:
            raise UnreachableError(str(last)) from last
        time.sleep(pause)
        pause = min(1.0, pause * 2)


def _read(target: Target, seconds: float) -> bytes:
    with Client(target.host, target.port, seconds) as client:
        path = f"{target.path.rstrip('/')}/{target.file}"
        return client.read(client.look_up(path), path)
