# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrays of a request, for models whose signature is one of arrays (``tensor``)."""

from __future__ import annotations

import typing as t

from . import values
from .values import Problem, Type

# The type of a column that an array's elements are checked as, by the array's type, with or without its bits.
ELEMENTS = {"float64": "double", "float": "float", "int": "long", "uint": "long", "bool": "boolean", "str": "string"}


def element(dtype: str) -> str:
    """What the elements of an array of that type are checked as."""
    return ELEMENTS.get(dtype) or ELEMENTS.get(dtype.rstrip("0123456789"), "any")


def of_rows(columns: dict[str, list[t.Any]], wanted: t.Sequence[Type]) -> t.Any:
    """The arrays in rows: one array a column, or one whose columns they are, in their order."""
    if wanted[0].get("name") is not None:
        return columns
    if len(columns) == len(wanted[0]["tensor-spec"]["shape"]) == 1:
        return next(iter(columns.values()))
    return [list(row) for row in zip(*columns.values())]


def check(data: t.Any, wanted: t.Sequence[Type], form: str, problems: list[Problem]) -> None:
    """Add what is wrong with the arrays of a request."""
    if len(wanted) == 1 and wanted[0].get("name") is None:
        _check(data, wanted[0]["tensor-spec"], (form,), problems)
        return
    specs = {str(item["name"]): item["tensor-spec"] for item in wanted}
    if not isinstance(data, dict):
        problems.append(Problem((form,), f"must be an object with {', '.join(specs)}"))
        return
    for name in {**specs, **data}:
        if name not in specs or name not in data:
            why = "is missing" if name in specs else f"is not an input of the model; its inputs are {', '.join(specs)}"
            problems.append(Problem((form, name), why))
        else:
            _check(data[name], specs[name], (form, name), problems)


def _check(data: t.Any, spec: Type, loc: values.Loc, problems: list[Problem]) -> None:
    """Each level must have the length that the shape wants; -1 is any length but 0, the same for all."""
    kind = element(spec["dtype"])
    before, lengths = len(problems), [None if length == -1 else length for length in spec["shape"]]

    def walk(value: t.Any, level: int, loc: values.Loc) -> None:
        if len(problems) > before:
            return
        if level == len(lengths):
            values.checked(value, {"type": kind}, loc, problems)
            return
        if isinstance(value, list) and lengths[level] is None:
            lengths[level] = len(value) or None
        if not isinstance(value, list) or len(value) != lengths[level]:
            length = lengths[level] if lengths[level] is not None else "one or more"
            problems.append(Problem(loc, f"must be a list of {length} items: the model's shape is {spec['shape']}"))
            return
        for number, item in enumerate(value):
            walk(item, level + 1, (*loc, number))

    walk(data, 0, loc)
