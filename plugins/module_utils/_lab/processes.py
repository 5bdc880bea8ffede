# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Makes the running processes equal to a list of definitions."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ansible_collections.mlops.platform.plugins.module_utils._lab import (
    LabError,
    process_cgroup,
    process_ready,
    process_start,
    procfs,
)
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_definition import (
    Definition,
    changes,
    signal_number,
)
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Record, Records
from ansible_collections.mlops.platform.plugins.module_utils._lab.procfs import Identity

KILL_TIMEOUT = 30.0
LEFTOVER_TIMEOUT = 5.0
PROBE_INTERVAL = 0.1


@dataclass(frozen=True)
class Step:
    """What is to be done about one process, and why."""

    definition: Definition
    record: Record | None
    digests: dict[str, str]
    action: str
    reasons: tuple[str, ...] = ()
    order: int = 0


def decide(record: Record | None, digests: dict[str, str], in_place: bool, asked: bool) -> tuple[str, tuple[str, ...]]:
    """Return start, restart or keep, with the reasons. in_place: it lives, in the right network namespace."""
    if record is None:
        return "start", ("was not started yet",)
    if not record.running():
        return "start", ("has ended",)
    if asked:
        return "restart", ("restart was asked for",)
    reasons = changes(record.digests, digests)
    if not in_place:
        reasons.append("the network namespace was made anew")
    return ("restart", tuple(reasons)) if reasons else ("keep", ())


def plan(definitions: Sequence[Definition], records: Records, restart: Collection[str] = ()) -> list[Step]:
    """Compare the wanted processes with the running ones."""
    steps = []
    for order, definition in enumerate(definitions):
        record, digests = records.read(definition.name), definition.digests()
        in_place = record is not None and procfs.same_network(record.pid, definition.netns_path)
        action, reasons = decide(record, digests, in_place, definition.name in restart)
        steps.append(Step(definition, record, digests, action, reasons, order))
    return steps


def batches(steps: Iterable[Step]) -> list[list[Step]]:
    """Split the steps into those that start together: neighbours of one group, else each alone."""
    keyed = groupby(steps, key=lambda step: step.definition.group or f"\0{step.definition.name}")
    return [list(batch) for _key, batch in keyed]


def apply(steps: Sequence[Step], records: Records) -> None:
    """Carry out a plan; return once every process is ready."""
    lacks = [problem for step in steps if step.action != "keep" for problem in process_start.missing(step.definition)]
    if lacks:
        raise LabError("; ".join(lacks))
    for batch in batches(steps):
        stop([step.record for step in batch if step.record and step.action != "keep"], records)
        children = {step.definition.name: _start(step, records) for step in batch if step.action != "keep"}
        for step in batch:
            _refresh(step, records)
        _await_ready([step.definition for step in batch], records, children)


def _start(step: Step, records: Records) -> subprocess.Popen[bytes]:
    where = process_ready.occupied(step.definition)
    if where:
        raise LabError(
            f"{step.definition.name} cannot start: another program answers on {where} already; stop that one"
        )
    return process_start.start(step.definition, records, step.order, step.digests)


def _refresh(step: Step, records: Records) -> None:
    """Keep what ends a process up to date without restarting it."""
    if step.action != "keep" or step.record is None:
        return
    wanted = step.definition
    record = replace(
        step.record,
        stop_signal=wanted.stop_signal,
        stop_timeout=wanted.stop_timeout,
        stop_scope=wanted.stop_scope,
        order=step.order,
    )
    if record != step.record:
        records.write(record)


def _await_ready(
    definitions: Sequence[Definition], records: Records, children: dict[str, subprocess.Popen[bytes]]
) -> None:
    begin = time.monotonic()
    pending = {definition.name: definition for definition in definitions}
    while pending:
        identities = []
        for definition in list(pending.values()):
            answer = process_ready.probe(definition)
            identities.append(_living(definition, records, children, begin))
            if answer is None:
                del pending[definition.name]
            elif time.monotonic() - begin > float((definition.ready or {}).get("timeout") or 60):
                raise _failure(definition, f"is not ready after {time.monotonic() - begin:.0f} s: {answer}")
        if pending:
            procfs.wait_any(identities, PROBE_INTERVAL)


def _living(
    definition: Definition, records: Records, children: dict[str, subprocess.Popen[bytes]], begin: float
) -> Identity:
    record = records.read(definition.name)
    if record is not None and record.running():
        return record.identity
    child = children.get(definition.name)
    status = f" with status {child.wait()}" if child else ""
    raise _failure(definition, f"ended{status} after {time.monotonic() - begin:.1f} s")


def _failure(definition: Definition, what: str) -> LabError:
    log = definition.log or ""
    return LabError(f"{definition.name} {what}. Last lines of {log}:\n{process_start.tail(log)}")


def stop(stopped: Sequence[Record], records: Records) -> None:
    """End some processes at the same time, with what they started, and forget them."""
    families = {record.name: _family(record, records) for record in stopped}
    for record in stopped:
        if record.running():
            procfs.send([record.identity], signal_number(record.stop_signal) or signal.SIGTERM)
    begin = time.monotonic()
    for record in stopped:
        if record.running():
            left = procfs.wait_all([record.identity], record.stop_timeout - (time.monotonic() - begin))
            _kill(left, record)
    for record in stopped:
        family = families[record.name]
        procfs.send(_family(record, records, family), signal.SIGTERM)
        procfs.wait_all(family, LEFTOVER_TIMEOUT)
        _kill(_family(record, records, family), record)
        if record.cgroup is not None:
            process_cgroup.remove(record.cgroup)
        records.forget(record.name)


def _family(record: Record, records: Records, known: Sequence[Identity] = ()) -> list[Identity]:
    """Return the session of a process. Once nobody known lives in it, its number may belong to strangers: only
    members that carry the process' mark count then."""
    if record.stop_scope != "session" or not record.of_this_boot():
        return []
    members = procfs.session_members(record.pid)
    if not record.running() and not any(member in members for member in known):
        members = [member for member in members if procfs.has_variable(member, records.mark(record.name))]
    if record.cgroup is not None:
        members += [member for member in process_cgroup.members(record.cgroup) if member not in members]
    return members


def _kill(identities: Sequence[Identity], record: Record) -> None:
    procfs.send(identities, signal.SIGKILL)
    left = procfs.wait_all(identities, KILL_TIMEOUT)
    if left:
        pids = ", ".join(str(identity.pid) for identity in left)
        raise LabError(f"{record.name} (pid {pids}) does not end, not even by KILL; see /proc/{left[0].pid}/stack")


def to_stop(records: Records, names: Collection[str]) -> list[Record]:
    """Return what is recorded, last started first; no names mean all."""
    return [record for record in reversed(records.all()) if not names or record.name in names]
