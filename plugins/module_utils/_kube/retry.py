# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""When a request is worth another attempt. Every request of this package may be sent twice."""

from __future__ import annotations

import dataclasses
import http.client
import ssl

from .errors import ApiError

FIRST_CONTACT = 10.0  # seconds for a server that has not answered yet
OUTAGE = 120.0  # seconds for a server that answered before: it may be restarting
LONGEST_PAUSE = 5.0
LONGEST_REQUEST = 30.0  # seconds of a Retry-After that are kept
FAR = 0.02  # seconds of a round trip
UNKNOWN_FAULTS = 3  # how often a 500 without a known cause is tried again: a load balancer may have sent it
TRANSPORT = (OSError, http.client.HTTPException)

# A 500 that another attempt does not cure: the server cannot type the object.
PERMANENT = ("failed to create typed patch object", "failed to convert new object", "failed to decode")
WEBHOOK = ("failed calling webhook", "failed to call webhook")
TRANSIENT = (
    "etcdserver:",
    "connection refused",
    "context deadline exceeded",
    "transport is closing",
    "leader changed",
    "storage is (re)initializing",
)


@dataclasses.dataclass
class Contact:
    """What is known of the server so far."""

    answered: bool = False
    last_fault: float = -1e9
    round_trip: float = 0.0  # seconds of the shortest one so far: the one with the least work of the server in it

    def heard(self, seconds: float, opened: bool) -> None:
        """Learn from an answer; opening a connection takes two round trips before the request's."""
        self.answered = True
        trip = seconds / 3 if opened else seconds
        self.round_trip = min(trip, self.round_trip or trip)

    def is_far(self) -> bool:
        """Whether requests spend most of their time on the way."""
        return self.round_trip > FAR

    def budget(self) -> float:
        """How long an outage may last."""
        return OUTAGE if self.answered else FIRST_CONTACT


def pause(attempt: int) -> float:
    """The pause before the next attempt, doubling from 50 ms."""
    return min(0.05 * 2**attempt, LONGEST_PAUSE)


def delay(
    error: Exception, attempt: int, elapsed: float, contact: Contact, now: float, dry_run: bool = False
) -> float | None:
    """How long to wait before the next attempt, or None when there should be none."""
    if isinstance(error, ApiError) and webhook_missing(error):
        # A dry run says what is known now; the real request waits until the webhook's pods are there.
        wanted = None if dry_run else pause(attempt)
    elif isinstance(error, ApiError):
        wanted = api_delay(error, attempt, recently_down=now - contact.last_fault < LONGEST_PAUSE * 2)
    elif isinstance(error, ssl.SSLCertVerificationError):
        wanted = None
    else:
        wanted = pause(attempt)
    if wanted is None or elapsed + wanted > contact.budget():
        return None
    return wanted


def webhook_missing(error: ApiError) -> bool:
    """Whether the server could not call a webhook."""
    return error.status == 500 and any(text in error.message for text in WEBHOOK)


def api_delay(error: ApiError, attempt: int, recently_down: bool) -> float | None:
    """The pause after an answer of the server, or None when the answer is final."""
    if error.status == 429 or error.status in (502, 503, 504):
        return pause(attempt) if error.retry_after is None else min(error.retry_after, LONGEST_REQUEST)
    if error.status == 500 and not error.message.startswith(PERMANENT):
        known = any(text in error.message for text in TRANSIENT)
        return pause(attempt) if known or attempt < UNKNOWN_FAULTS else None
    # A server that has just started knows no roles and tokens for a moment, however long it was away.
    if error.status in (401, 403) and recently_down:
        return min(pause(attempt), 1.0)
    if error.status == 409 and not error.conflicts and error.reason in ("AlreadyExists", "Conflict"):
        return pause(attempt) if attempt < 5 else None
    return None
