# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Carrying out a plan: all of it, or nothing; and the lock that keeps runs apart."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import signal
import typing as t

from . import quota
from .backend import Backend, BackendError, Change, discard, make_folder, put, stage
from .folders import Undo, descend, ensure, purge
from .plan import Plan, writable
from .quotas import QuotaStep
from .values import RefusedError

LOCK = "/run/mlops-nfs-exports.lock"
_REMEDIES = {
    errno.EROFS: "the file system is read-only; mount it read-write",
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "a quota is exhausted; free some space",
    errno.EACCES: "permission was denied; run with become",
    errno.EPERM: "the operation is not permitted; run with become, and see that the file system allows chown",
}


def carry_out(plan: Plan, backend: Backend, root_fd: int | None) -> list[str]:
    """Do what the plan says and return warnings; after a failure folders, limits and exports are as they were."""
    undo: list[Undo] = []
    try:
        warnings = _exports(plan, backend, root_fd, undo)
    except (OSError, BackendError, RefusedError) as error:
        rest = _undo(undo)
        raise RefusedError(f"{describe(error, plan)}; {_in_force(plan, backend)}{rest}") from error
    except BaseException:
        _undo(undo)
        raise
    if plan.purge and root_fd is not None:
        _purge(plan, backend, root_fd)
    return warnings


def _exports(plan: Plan, backend: Backend, root_fd: int | None, undo: list[Undo]) -> list[str]:
    path = backend.path(plan.wanted.name)
    text = _text(plan, backend)
    made = make_folder(backend.folder) if text is not None else None
    if made:
        undo.append(made)
    staged = stage(text, backend.staging) if text is not None else None
    try:
        if root_fd is not None:
            _folders(plan, root_fd, undo)
            _quotas(plan, root_fd, undo)
        return backend.commit(Change(path, staged, plan.current, plan.exports, plan.ids, plan.touched, plan.leaving))
    finally:
        discard(staged)


def _in_force(plan: Plan, backend: Backend) -> str:
    """What is exported after going back: looked at, not believed."""
    old = plan.current.exports if plan.current else []
    new = {export.path for export in plan.exports} - {export.path for export in old}
    try:
        found = backend.drift(old, plan.current.ids if plan.current else {}, new)
    except BackendError as error:
        return f"what is exported now is not known ({error}); run again"
    return f"the old exports are not in force: {'; '.join(found.values())}" if found else "the old exports are in force"


def _text(plan: Plan, backend: Backend) -> str | None:
    """The drop-in names what is being purged until that is done, so that a killed run can be finished."""
    if not plan.purge:
        return plan.text
    header = dataclasses.replace(plan.header, purging=tuple(plan.purge))
    return backend.render(header, plan.exports, plan.ids)


def _folders(plan: Plan, root_fd: int, undo: list[Undo]) -> None:
    if any(before is None for before, _ in plan.folders):
        writable(plan.wanted.root)
    for _, folder in plan.folders:
        ensure(root_fd, folder, undo)


def _quotas(plan: Plan, root_fd: int, undo: list[Undo]) -> None:
    for step in plan.quotas:
        undo.append(_limit(step))
        if step.join:
            with contextlib.ExitStack() as stack:
                fd = descend(root_fd, step.path[len(plan.wanted.root) + 1 :], "quota", stack)
                quota.assign(fd, step.join, step.spared)


def _limit(step: QuotaStep) -> Undo:
    quota.set_limit(step.device, step.project, step.limit)
    return lambda: quota.set_limit(step.device, step.project, step.before)


def _undo(undo: t.Sequence[Undo]) -> str:
    """Undo the newest first; what cannot be undone is told."""
    left: list[str] = []
    for step in reversed(undo):
        try:
            step()
        except OSError as error:
            left.append(f"{error.filename}: {error.strerror}")
        except RefusedError as error:
            left.append(str(error))
    return f"; not undone: {'; '.join(left)}" if left else ""


def _purge(plan: Plan, backend: Backend, root_fd: int) -> None:
    root = plan.wanted.root
    for path in plan.purge:
        try:
            purge(root_fd, path[len(root) + 1 :])
        except OSError as error:
            raise RefusedError(
                f"purge_data: '{path}' could not be deleted ({error.strerror}); run again to continue"
            ) from error
    path = backend.path(plan.wanted.name)
    put(stage(plan.text, backend.staging) if plan.text is not None else None, path)


def describe(error: Exception, plan: Plan) -> str:
    """A failure as one sentence."""
    if isinstance(error, OSError):
        # Names below the root are relative to an opened folder.
        absolute = isinstance(error.filename, str) and error.filename.startswith("/")
        what = error.filename if absolute else plan.wanted.root
        field = "root" if what.startswith(plan.wanted.root) else "backend"
        return f"{field}: '{what}': {_REMEDIES.get(error.errno or 0, error.strerror)}"
    return str(error) if isinstance(error, RefusedError) else f"backend: {error}"


@contextlib.contextmanager
def locked(path: str, seconds: int, check: bool) -> t.Iterator[None]:
    """One run at a time on this server. Check mode only looks, so it shares the lock and makes no file."""
    if seconds < 0:
        raise RefusedError(f"lock_timeout: {seconds} is negative; write seconds, or 0 to wait for nobody")
    try:
        fd = os.open(path, os.O_RDONLY if check else os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        if not check:
            raise
        yield
        return
    try:
        _wait(fd, fcntl.LOCK_SH if check else fcntl.LOCK_EX, path, seconds)
        yield
    finally:
        os.close(fd)


def _wait(fd: int, kind: int, path: str, seconds: int) -> None:
    def expire(number: int, frame: object) -> None:
        raise RefusedError(f"lock_timeout: another run has held {path} for {seconds} s; wait for it and run again")

    if not seconds:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(f"lock_timeout: another run holds {path}; wait for it and run again") from None
        return
    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        fcntl.flock(fd, kind)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
