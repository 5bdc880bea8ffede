# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Which NFS server this machine has and which one runs."""

from __future__ import annotations

import glob
import os
import shutil
import typing as t

from .backend import Backend, BackendError, Run, read_text
from .ganesha import Ganesha
from .kernel import Kernel
from .values import RefusedError

KINDS = ("kernel", "ganesha")
UNITS = {"kernel": "nfs-server.service", "ganesha": "nfs-ganesha.service"}


def runner(module: t.Any) -> Run:
    """A module's way to run programs; a missing program is a failure like any other."""

    def run(words: t.Sequence[str]) -> tuple[int, str, str]:
        try:
            code, out, err = module.run_command(list(words), handle_exceptions=False)
        except FileNotFoundError:
            return 127, "", f"{words[0]} is not installed"
        return code, out, err

    return run


def make(kind: str, run: Run) -> Backend:
    """The backend of a kind."""
    return Kernel(run) if kind == "kernel" else Ganesha(run)


def kernel_available(release: str) -> bool:
    """Whether this kernel has an NFS server, built in or as a module."""
    if "nfsd" in (read_text("/proc/filesystems") or "").split():
        return True
    listed = (read_text(f"/lib/modules/{release}/modules.dep") or "") + (
        read_text(f"/lib/modules/{release}/modules.builtin") or ""
    )
    return "/nfsd.ko" in listed


def running(run: Run) -> list[str]:
    """The kinds that serve now."""
    threads = (read_text("/proc/fs/nfsd/threads") or "0").strip()
    found = ["kernel"] if threads not in ("", "0") else []
    if shutil.which("busctl") is not None:
        try:
            Ganesha(run).live()
            found.append("ganesha")
        except BackendError:
            pass
    return found


def installed() -> list[str]:
    """The kinds whose programs are here."""
    found = ["kernel"] if shutil.which("exportfs") is not None else []
    modules = glob.glob("/usr/lib*/ganesha/libfsalvfs.so") + glob.glob("/usr/lib/*/ganesha/libfsalvfs.so")
    return [*found, "ganesha"] if shutil.which("ganesha.nfsd") is not None and modules else found


def enabled() -> list[str]:
    """The kinds that systemd starts with the machine."""
    return [kind for kind, unit in UNITS.items() if glob.glob(f"/etc/systemd/system/*.wants/{unit}")]


def rpcbind() -> str:
    """Whether rpcbind is absent, masked or present."""
    if os.path.realpath("/etc/systemd/system/rpcbind.service") == "/dev/null":
        return "masked"
    places = ("/lib/systemd/system", "/usr/lib/systemd/system", "/etc/systemd/system")
    return "present" if any(os.path.exists(f"{place}/rpcbind.service") for place in places) else "absent"


def choose(kind: str, run: Run, check: bool = False) -> str:
    """The kind to use: the one asked for, the one that runs, or the only one installed."""
    if kind != "auto":
        return kind
    for found in (running(run), installed()):
        if len(found) == 1:
            return found[0]
        if found:
            raise RefusedError(f"backend: {' and '.join(found)} are both here; name the one to use")
    if check:
        return "kernel" if kernel_available(os.uname().release) else "ganesha"
    raise RefusedError("backend: this machine has no NFS server; run the role nfs_server")


def facts(run: Run) -> dict[str, t.Any]:
    """What a role needs to know to choose."""
    return {
        "kernel_available": kernel_available(os.uname().release),
        "installed": installed(),
        "running": running(run),
        "enabled": enabled(),
        "rpcbind": rpcbind(),
    }
