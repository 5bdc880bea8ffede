# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks Serve again and again how its applications do, so that an answer never waits for a head that is away."""

from __future__ import annotations

import logging
import threading
import time
import typing as t

from .logic import Details, View, is_complete

UNTIL_COMPLETE, AFTERWARDS = 0.5, 3.0  # seconds between two questions
LOGGER = logging.getLogger("ray.serve")


class Memory(t.Protocol):
    """Something that is kept as long as the Ray cluster."""

    def recall(self) -> bool:
        """Whether the cluster was complete before."""

    def store(self) -> None:
        """Remember that it is."""


class Watcher:
    """Keeps the newest view. ``ask`` and the memory may raise an error of ``faults`` while the head is away."""

    def __init__(self, ask: t.Callable[[], Details], memory: Memory, faults: tuple[type[Exception], ...]) -> None:
        self.ask, self.memory, self.faults = ask, memory, faults
        self._details: Details = {}
        self._asked = time.monotonic()
        self._complete = False
        self._silent = False

    @property
    def view(self) -> View:
        """What is known now."""
        return View(self._details, self._complete, time.monotonic() - self._asked)

    def run(self, stop: threading.Event) -> None:
        """Ask until it is told to stop."""
        while not stop.wait(AFTERWARDS if self._complete else UNTIL_COMPLETE):
            self.step()

    def step(self) -> None:
        """Ask once."""
        try:
            self._details = self.ask()
            self._asked = time.monotonic()
            if not self._complete and self.memory.recall():
                self._complete = True
            if not self._complete and is_complete(self._details):
                self.memory.store()
                self._complete = True
            self._silent = False
        except self.faults as error:
            if not self._silent:
                LOGGER.warning("Serve does not say how its applications do: %s", error)
            self._silent = True
