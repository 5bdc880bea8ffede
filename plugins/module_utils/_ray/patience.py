# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What to do while the API server is away, or has no watch for us: ask again, but not at once."""

from __future__ import annotations

import http.client
import json
import time
import typing as t

from . import AwayError

PAUSE = 1.0  # seconds until the next question
T = t.TypeVar("T")


def patiently(action: t.Callable[[], T], deadline: float) -> T:
    """The action's result; done again after an AwayError until time.monotonic() is at the deadline."""
    while True:
        try:
            return action()
        except AwayError:
            if time.monotonic() + PAUSE > deadline:
                raise
        time.sleep(PAUSE)


def watched(ask: t.Callable[[], http.client.HTTPResponse], seconds: float) -> t.Iterator[dict[str, t.Any]]:
    """The changed objects of a watch; one that is refused or breaks off ends after a pause."""
    try:
        answer = ask()
        well = answer.status == http.client.OK
        while well and (line := answer.readline()).endswith(b"\n"):
            event = json.loads(line)
            well = event.get("type") != "ERROR"
            if event.get("type") in ("ADDED", "MODIFIED"):
                yield event["object"]
    except (OSError, http.client.HTTPException, ValueError):
        well = False
    if not well:
        time.sleep(min(PAUSE, max(seconds, 0.0)))
