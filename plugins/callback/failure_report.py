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
    role, the task and the message. Hosts that a later play was meant for, but which the run did not come to, are named
    as not reached.
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


def unreached(meant: t.Mapping[str, t.Collection[str]], reached: t.Mapping[str, t.Collection[str]]) -> set[str]:
    """The hosts that at least one play was meant for and did not come to; both map plays to hosts."""
    return {host for play, hosts in meant.items() for host in hosts if host not in reached.get(play, ())}


def report(done: t.Sequence[str], failures: t.Mapping[str, Failure], missed: t.Sequence[str] = ()) -> list[str]:
    """Lines of the report: those that are done, those that the run did not come to, then each failure."""
    lines = [f"  done: {', '.join(done) or 'none'}"]
    if missed:
        lines.append(f"  not reached: {', '.join(missed)}; the run ended before their last play")
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
        self._plays: list[t.Any] = []
        self._reached: dict[str, set[str]] = {}

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._plays, self._reached = playbook.get_plays(), {}

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        # With serial, a play starts once for each batch, and the inventory is narrowed to the batch.
        self._reached.setdefault(play._uuid, set()).update(hosts_of(play))

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
            missed = unreached({play._uuid: hosts_of(play, whole=True) for play in self._plays}, self._reached) - bad
            done = set(stats.processed) - bad - missed
            self._display.display("FAILURES " + "*" * 70, color="red")
            for line in report(sorted(done), found, sorted(missed)):
                self._display.display(line)


def hosts_of(play: t.Any, whole: bool = False) -> set[str]:
    """Names of the hosts of a play under --limit; of its batch that runs now, or of the whole play."""
    if is_template(play.hosts):
        # The pattern is made when a play begins; which hosts one that did not begin was meant for is not known.
        return set()
    inventory = play.get_variable_manager()._inventory
    return {host.name for host in inventory.get_hosts(play.hosts, ignore_restrictions=whole)}


def is_template(hosts: t.Any) -> bool:
    """Whether a pattern of hosts, or one of a list, is still a template."""
    return any("{{" in pattern for pattern in ([hosts] if isinstance(hosts, str) else hosts))
