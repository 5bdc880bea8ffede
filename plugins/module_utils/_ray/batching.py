# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""How requests to a model are put together; checked before it is deployed, and again where it is served."""

from __future__ import annotations

import typing as t

from . import RayError

FIELDS = ("max_batch_size", "wait_s")


class Batching(t.NamedTuple):
    """How many requests at most, and how many seconds the first one waits. A batch of one request is no batch."""

    max_batch_size: int = 1
    wait_s: float = 0.01


def parse(given: t.Any) -> Batching:
    """The settings; RayError names the field that is wrong and what to do."""
    if not isinstance(given, dict):
        raise RayError(f"batching: {given!r} is not a dictionary; write max_batch_size and wait_s into it")
    known("batching.", given, FIELDS)
    size = given.get("max_batch_size", 1)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 10000:
        raise RayError(f"batching.max_batch_size: {size!r} is not a whole number from 1 to 10000; correct it")
    return Batching(size, seconds("batching.wait_s", given.get("wait_s", Batching().wait_s), 10))


def known(where: str, given: t.Mapping[str, t.Any], fields: t.Sequence[str]) -> None:
    """RayError at a field that there is not."""
    for field in given:
        if field not in fields:
            raise RayError(f"{where}{field}: there is no such field; known are {', '.join(fields)}")


def seconds(field: str, value: t.Any, most: float) -> float:
    """A number of seconds, or RayError."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= most:
        raise RayError(f"{field}: {value!r} is not a number of seconds from 0 to {most}; correct it")
    return float(value)
