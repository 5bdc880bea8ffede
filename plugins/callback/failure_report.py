# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failure_report
type: aggregate
short_description: Say at the end which hosts failed, where and why
version_added: 0.1.0
description:
  - Prints nothing when all went well. Otherwise prints at the end which hosts were done, and for each failed host the
    role, the task and the message.
  - A run for many clusters goes on for the others when one fails. This is where to look afterwards.
author: The mlops.platform maintainers (@mlops-platform)
"""

import textwrap
import typing as t

from ansible.plugins.callback import CallbackBase

WIDTH = 110
MOST_LINES = 20


class Failure(t.NamedTuple):
    """The last thing that failed on a host."""

    role: str
    task: str
    message: str


def report(done: t.Sequence[str], failures: t.Mapping[str, Failure]) -> list[str]:
    """Lines of the report: those that are done, then each failure."""
    lines = [f"  done: {', '.join(done) or 'none'}"]
    for host, failure in failures.items():
        lines.append(f"  failed: {host} in {failure.role}: {failure.task}")
        lines += [f"      {line}" for line in wrapped(failure.message)]
    return lines


def wrapped(message: str) -> list[str]:
    """The message in lines of a readable length, and not too many."""
    lines = [part for line in message.splitlines() for part in textwrap.wrap(line, WIDTH) or [""]]
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "... the rest is above"]


def message_of(result: t.Mapping[str, t.Any]) -> str:
    """Why a task failed: its message, or that of its failed items."""
    items = [item for item in result.get("results") or [] if item.get("failed")]
    if items:
        return "\n".join(message_of(item) for item in items)
    text = result.get("censored") or result.get("msg") or result.get("stderr") or "it said nothing"
    return text if isinstance(text, str) else str(text)


class CallbackModule(CallbackBase):
    """Remembers the last failure of each host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "mlops.platform.failure_report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._failures: dict[str, Failure] = {}

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._remember(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._remember(result)

    def _remember(self, result: t.Any) -> None:
        task = result.task
        role = task._role.get_name(include_role_fqcn=False) if task._role else "the playbook"
        self._failures[result.host.get_name()] = Failure(role, task.name or task.action, message_of(result.result))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        # A failure that a rescue took care of is none at the end.
        bad = {host for host in stats.processed if stats.failures.get(host) or stats.dark.get(host)}
        found = {host: failure for host, failure in self._failures.items() if host in bad}
        if found:
            self._display.display("FAILURES " + "*" * 70, color="red")
            for line in report(sorted(set(stats.processed) - bad), found):
                self._display.display(line)
