# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Start of a process that outlives its starter, with a log."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, process_cgroup
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_definition import Definition
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_ready import inside
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import MARK, Records, make_record
from ansible_collections.mlops.platform.plugins.module_utils._lab.procfs import read_stat

STDERR = 2
TAIL_BYTES = 16 * 1024
TAIL_LINES = 20


def missing(definition: Definition) -> list[str]:
    """Return what the machine lacks to start this process."""
    program = definition.argv[0]
    checks = [
        (os.access(program, os.X_OK), f"argv: {program} is not an executable file"),
        (os.path.isdir(definition.cwd), f"cwd: there is no folder {definition.cwd}"),
        (
            definition.netns_path is None or os.path.exists(definition.netns_path),
            f"netns: there is no network namespace {definition.netns}",
        ),
    ]
    return [f"{definition.name}: {message}" for good, message in checks if not good]


def tail(log: str) -> str:
    """Return the last lines of a log."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, os.path.getsize(log) - TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "(there is no log)"
    return "\n".join(lines[-TAIL_LINES:]) or "(the log is empty)"


def rotate(log: Path, max_bytes: int) -> None:
    """Move a log that has grown too long out of the way; one older log is kept."""
    if log.exists() and log.stat().st_size > max_bytes:
        log.replace(log.with_name(f"{log.name}.1"))


def _adjust_oom(value: int) -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(value), encoding="ascii")
    except PermissionError:
        # Without CAP_SYS_RESOURCE the kernel only lets it rise; the process runs all the same.
        return


def _prepare(definition: Definition, records: Records, order: int, digests: dict[str, str]) -> None:
    stat = read_stat(os.getpid())
    if stat is None:
        raise FileNotFoundError("/proc is not mounted")
    records.write(make_record(definition, stat.identity, order, digests))
    if definition.cgroup is not None:
        process_cgroup.join(definition.cgroup)
    if definition.oom_score_adj is not None:
        _adjust_oom(definition.oom_score_adj)


def start(definition: Definition, records: Records, order: int, digests: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own; it writes its own record, so none can run without one."""

    def prepare() -> None:
        # Standard error is the log by now; subprocess itself keeps what went wrong here to itself.
        try:
            _prepare(definition, records, order, digests)
        except OSError as error:
            os.write(STDERR, f"{definition.name} cannot be prepared: {error}\n".encode())
            raise

    log = Path(definition.log or os.devnull)
    log.parent.mkdir(parents=True, exist_ok=True)
    rotate(log, definition.log_max_bytes)
    with log.open("ab") as stream, inside(definition.netns_path):
        try:
            return subprocess.Popen(
                list(definition.argv),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd=definition.cwd,
                env={**definition.environment, MARK: str(records.path(definition.name))},
                start_new_session=True,
                preexec_fn=prepare,
            )
        except (OSError, subprocess.SubprocessError) as error:
            records.forget(definition.name)
            message = f"{definition.name} cannot be started: {error}. Last lines of {log}:\n{tail(str(log))}"
            raise LabError(message) from error
