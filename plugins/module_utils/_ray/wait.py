# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Waiting for an application, on nothing but the RayService and its events.

The operator, in each round, first asks Ray how the applications do, then hands a changed configuration over, then
writes its report. So a report of our generation still tells of the configuration before; the next generation's report
is the first that tells of ours. For an application that was there before, that next generation is made by a change of
white space.
"""

from __future__ import annotations

import functools
import time
import typing as t

from . import ConflictError, DeployError, serve_config
from .patience import patiently
from .service import Service
from .state import DEPLOY_FAILED, NONE, RUNNING, Object, State, generation, is_upgrading, observed, states

SLICE = 2.0  # seconds of one watch: a refused configuration changes no RayService, only an event tells of it
UNKNOWN = State("unknown")


class Wait:
    """Waits for one application."""

    def __init__(self, service: Service, name: str, refused_before: t.Mapping[str, t.Any], deadline: float) -> None:
        self.service, self.name, self.deadline = service, name, deadline
        self.refused_before = refused_before
        self.last: Object = {}

    def until(self, now: Object, present: bool, updated: bool) -> State:
        """Wait until the application runs, or is gone; the state that it ends in."""
        self.last = now
        if updated and present:
            self._handed_over(generation(now))
            now = self._touched()
        wanted = generation(now)
        for seen in self._reports(wanted):
            found = states(seen).get(self.name)
            if not present and found is None and states(seen):
                return NONE
            if present and found is not None and found.status == RUNNING:
                return found
            if present and found is not None and found.status == DEPLOY_FAILED:
                raise DeployError(
                    f"{self.name}: the application cannot be deployed: {found.message or 'no reason given'}"
                )
        raise DeployError(self._too_late(present))

    def _handed_over(self, wanted: int) -> None:
        """Wait until Ray has the configuration of that generation."""
        for seen in self._reports(wanted):
            if states(seen):
                return
        raise DeployError(self._too_late(True))

    def _touched(self) -> Object:
        """A next generation with the same content."""
        while True:
            seen = self._read()
            text = seen["spec"].get("serveConfigV2") or ""
            other = text.rstrip("\n") if text.endswith("\n") else text + "\n"
            serve_config.parse(other)
            try:
                return patiently(functools.partial(self.service.write, seen, other), self.deadline)
            except ConflictError:
                if time.monotonic() >= self.deadline:
                    raise DeployError(self._too_late(True)) from None
                self.last = seen

    def _read(self) -> Object:
        return patiently(self.service.read, self.deadline)

    def _reports(self, wanted: int) -> t.Iterator[Object]:
        """The object, each time the operator reports on that generation or a newer one, until the time is over."""
        seen = self._read()
        while True:
            self.last = seen
            if observed(seen) >= wanted:
                yield seen
            else:
                self._check_refused()
            left = self.deadline - time.monotonic()
            if left <= 0:
                return
            for changed in self.service.changes(seen, min(SLICE, left)):
                self.last = changed
                if observed(changed) >= wanted:
                    yield changed
            seen = self._read()

    def _check_refused(self) -> None:
        """Fail with Ray's words when it does not take the configuration. An unreachable head is no refusal."""
        for event, (count, message) in patiently(self.service.complaints, self.deadline).items():
            known = self.refused_before.get(event)
            if "UpdateDeployments fail: 4" in message and (known is None or known[0] < count):
                words = message.partition("UpdateDeployments fail: ")[2]
                raise DeployError(f"{self.name}: Ray does not take the configuration: {words}")

    def _too_late(self, present: bool) -> str:
        found = states(self.last).get(self.name, UNKNOWN)
        want = "does not run" if present else "is not gone"
        if is_upgrading(self.last):
            why = "a new Ray cluster is on its way to take over, and applications change only after that"
        elif not states(self.last):
            why = "Ray's head does not report; look at the head pod and the operator's log"
        elif observed(self.last) < generation(self.last):
            why = "the operator has not taken the change over; look at its log and the RayService's events"
        else:
            why = f"its status is {found.status}" + (f": {found.message}" if found.message else "")
        return f"{self.name}: the application {want} in time: {why}"
