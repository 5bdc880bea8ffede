# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: step_times
type: aggregate
short_description: Say what a long task is doing and print a table of times
version_added: 0.1.0
description:
  - Prints a line every 20 seconds while one task runs, with its name, the part that it is working on where it tells
    that, and for how long it has been running.
  - At the end prints the time of each role, and the tasks that took longest.
  - Prints nothing for a run shorter than O(minimum).
options:
  minimum:
    description: Seconds below which no table is printed.
    type: float
    default: 5
    env: [{name: MLOPS_STEP_TIMES_MINIMUM}]
    ini: [{section: callback_step_times, key: minimum}]
  longest:
    description: How many of the longest tasks the table names.
    type: int
    default: 5
    env: [{name: MLOPS_STEP_TIMES_LONGEST}]
    ini: [{section: callback_step_times, key: longest}]
author: The mlops.platform maintainers (@mlops-platform)
"""

import os
import tempfile
import threading
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

from ansible_collections.mlops.platform.plugins.module_utils import _progress as progress

REMIND_AFTER = 20.0


def by_role(times: t.Sequence[tuple[str, str, float]]) -> list[tuple[str, float]]:
    """Seconds of each role in the order of first use."""
    sums: dict[str, float] = {}
    for role, _task, seconds in times:
        sums[role] = sums.get(role, 0.0) + seconds
    return list(sums.items())


def table(times: t.Sequence[tuple[str, str, float]], total: float, longest: int) -> list[str]:
    """Lines of the table: roles, then the longest tasks."""
    rows = by_role(times)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:<{width}}  {seconds:8.1f} s" for name, seconds in rows if seconds >= 0.1]
    lines.append(f"  {'in all':<{width}}  {total:8.1f} s")
    slowest = sorted(times, key=lambda row: row[2], reverse=True)[:longest]
    return [*lines, *(f"  {seconds:8.1f} s  {role}: {task}" for role, task, seconds in slowest if seconds >= 0.1)]


def reminder(role: str, task: str, started: float, part: str, now: float) -> str:
    """The line that says what goes on, on which part, and for how long."""
    what = f"{task}: {part}" if part else task
    return f"  ... {role}: {what} ({now - started:.0f} s)"


class CallbackModule(CallbackBase):
    """Times tasks from their start to the start of the next one."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "mlops.platform.step_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._times: list[tuple[str, str, float]] = []
        self._task: tuple[str, str, float] | None = None
        self._changed = threading.Condition()
        self._done = False
        # Modules of this machine inherit the name of the file, which ends with this process, however that ends.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as this process)
        self._progress = Path(f"/proc/{os.getpid()}/fd/{self._file.fileno()}")
        os.environ[progress.VARIABLE] = str(self._progress)
        threading.Thread(target=self._remind, daemon=True).start()

    def _remind(self) -> None:
        with self._changed:
            while not self._done:
                seen = self._task
                if not self._changed.wait(REMIND_AFTER) and seen is not None and seen is self._task:
                    self._display.display(reminder(*seen, progress.said(self._progress), time.monotonic()))

    def _next(self, task: tuple[str, str, float] | None) -> None:
        now = time.monotonic()
        with self._changed:
            if self._task is not None:
                self._times.append((self._task[0], self._task[1], now - self._task[2]))
            self._task = task
            if self._progress.exists():
                self._progress.write_text("", encoding="utf-8")
            self._changed.notify_all()

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        role = task._role.get_name(include_role_fqcn=False) if task._role else "playbook"
        self._next((role, task.name or task.action, time.monotonic()))

    v2_playbook_on_handler_task_start = v2_playbook_on_cleanup_task_start = (  # type: ignore[assignment]
        lambda self, task: self.v2_playbook_on_task_start(task, False)
    )

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._next(None)
        with self._changed:
            self._done = True
        total = time.monotonic() - self._started
        if total >= float(self.get_option("minimum")):
            self._display.display("TIMES " + "*" * 73)
            for line in table(self._times, total, int(self.get_option("longest"))):
                self._display.display(line)
