# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One JSON value against one type of a model's signature, as MLflow writes it: a dictionary with ``type``."""

from __future__ import annotations

import base64
import binascii
import datetime
import math
import typing as t

Type = t.Mapping[str, t.Any]
Loc = tuple[t.Union[str, int], ...]
RANGES = {"integer": 2**31, "long": 2**63}
# From where on a number is rounded to infinity, which JSON has as 1e999 and no model wants.
INFINITIES = {"float": 2.0**128 - 2.0**103, "double": math.inf}
BITS = {"float": 32, "double": 64}
# What fits into 64 bits of nanoseconds, in whole days.
TIMES = datetime.datetime(1677, 9, 22), datetime.datetime(2262, 4, 11)
TIMES_IN_WORDS = "a time from 1677-09-22 to 2262-04-10"


class Problem(t.NamedTuple):
    """What is wrong, and where in the request's body."""

    loc: Loc
    message: str


def _boolean(value: t.Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _whole(kind: str) -> t.Callable[[t.Any], int]:
    limit = RANGES[kind]

    def check(value: t.Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("a whole number")
        if not -limit <= value < limit:
            raise ValueError(f"a whole number of {limit.bit_length()} bits")
        return value

    return check


def _number(kind: str) -> t.Callable[[t.Any], float]:
    limit = INFINITIES[kind]

    def check(value: t.Any) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ValueError("a number")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not -limit < found < limit:
            raise ValueError(f"a number that fits into {BITS[kind]} bits")
        return found

    return check


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _bytes(value: t.Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError("bytes as base64 text") from error


def _time(value: t.Any) -> datetime.datetime:
    """A time without a zone, which is UTC: MLflow's type knows no zones."""
    try:
        found = datetime.datetime.fromisoformat(_text(value))
        if found.tzinfo is not None:
            found = found.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(TIMES_IN_WORDS) from error
    except ValueError as error:
        raise ValueError("a time such as 2026-01-31T12:00:00") from error
    if not TIMES[0] <= found < TIMES[1]:
        raise ValueError(TIMES_IN_WORDS)
    return found


SCALARS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "boolean": _boolean,
    "integer": _whole("integer"),
    "long": _whole("long"),
    "float": _number("float"),
    "double": _number("double"),
    "string": _text,
    "binary": _bytes,
    "datetime": _time,
    "any": lambda value: value,
}


def checked(value: t.Any, kind: Type, loc: Loc, problems: list[Problem]) -> t.Any:
    """The value as the model gets it; what is wrong with it is added to ``problems``."""
    if value is None:
        if kind.get("required", True) and kind["type"] != "any":
            problems.append(Problem(loc, f"must be {expected(kind)}, not null"))
        return None
    if kind["type"] in SCALARS:
        try:
            return SCALARS[kind["type"]](value)
        except ValueError as error:
            problems.append(Problem(loc, f"must be {error}, not {_short(value)}"))
            return None
    return _nested(value, kind, loc, problems)


def _nested(value: t.Any, kind: Type, loc: Loc, problems: list[Problem]) -> t.Any:
    if kind["type"] == "array":
        if isinstance(value, list):
            return [checked(item, kind["items"], (*loc, number), problems) for number, item in enumerate(value)]
    elif not isinstance(value, dict):
        pass
    elif kind["type"] == "map":
        return {key: checked(item, kind["values"], (*loc, key), problems) for key, item in value.items()}
    elif kind["type"] == "object":
        return record(value, kind["properties"], loc, problems)
    problems.append(Problem(loc, f"must be {expected(kind)}, not {_short(value)}"))
    return None


def record(value: t.Mapping[str, t.Any], fields: t.Mapping[str, Type], loc: Loc, problems: list[Problem]) -> t.Any:
    """An object with named fields."""
    for name in value:
        if name not in fields:
            problems.append(Problem((*loc, name), f"is not a field of the model; its fields are {', '.join(fields)}"))
    found = {}
    for name, kind in fields.items():
        if name in value:
            found[name] = checked(value[name], kind, (*loc, name), problems)
        elif kind.get("required", True):
            problems.append(Problem((*loc, name), f"is missing; it must be {expected(kind)}"))
    return found


def expected(kind: Type) -> str:
    """A type in words."""
    words = {"boolean": "true or false", "string": "a text", "binary": "bytes as base64 text", "array": "a list"}
    words |= {"integer": "a whole number", "long": "a whole number", "float": "a number", "double": "a number"}
    words |= {"datetime": "a time", "object": "an object", "map": "an object", "any": "a value"}
    return words.get(kind["type"]) or str(kind["type"])


def _short(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
