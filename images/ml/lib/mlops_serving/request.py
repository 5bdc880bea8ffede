# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a prediction request against the model's signature, before the model sees it.

The forms are those of MLflow's own server: ``dataframe_records``, ``dataframe_split``, ``inputs``, and ``params``.
"""

from __future__ import annotations

import json
import typing as t

from . import tensors, values
from .values import Problem, Type

FORMS = ("dataframe_records", "dataframe_split", "inputs")
MOST_PROBLEMS = 20


class Signature(t.NamedTuple):
    """A model's inputs and parameters as MLflow writes them; None where the model has no signature."""

    inputs: list[Type] | None = None
    params: list[Type] | None = None
    outputs: list[Type] | None = None

    @property
    def columns(self) -> dict[str, Type]:
        """The named columns; empty for tensors, unnamed inputs and no signature."""
        found = {str(item["name"]): item for item in self.inputs or [] if item.get("name") is not None}
        return {} if self.is_tensor else found

    @property
    def is_tensor(self) -> bool:
        """Whether the model takes arrays."""
        return any(item["type"] == "tensor" for item in self.inputs or [])


class Input(t.NamedTuple):
    """What the model gets: ``columns`` by name, or else ``data`` as it came."""

    columns: dict[str, list[t.Any]] | None
    data: t.Any = None
    params: dict[str, t.Any] | None = None

    @property
    def rows(self) -> int:
        """How many rows the columns have."""
        return len(next(iter(self.columns.values()))) if self.columns else 0


class InvalidError(Exception):
    """The request is not as the signature wants it."""

    def __init__(self, problems: t.Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, item.loc))} {item.message}" for item in problems))
        self.problems = list(problems)

    def body(self) -> dict[str, t.Any]:
        """The body of the answer with status 422."""
        shown = [{"loc": ["body", *item.loc], "msg": item.message, "type": "value_error"} for item in self.problems]
        more = len(shown) - MOST_PROBLEMS
        return {"detail": shown[:MOST_PROBLEMS], **({"more_errors": more} if more > 0 else {})}


def parse(body: bytes, signature: Signature) -> Input:
    """The input for the model; InvalidError names each field that is wrong."""
    document = _document(body)
    form = next(form for form in FORMS if form in document)
    problems: list[Problem] = []
    params = _params(document.get("params"), signature, problems)
    found = _FORMS[form](document[form], signature, problems)
    if problems:
        raise InvalidError(problems)
    return found._replace(params=params)


def _document(body: bytes) -> dict[str, t.Any]:
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidError([Problem((), f"is not JSON: {error}")]) from error
    if not isinstance(document, dict):
        raise InvalidError([Problem((), f"must be an object with one of {', '.join(FORMS)}")])
    problems = [
        Problem((field,), f"is not known here; known are {', '.join(FORMS)} and params")
        for field in document
        if field not in (*FORMS, "params")
    ]
    if sum(form in document for form in FORMS) != 1:
        problems.append(Problem((), f"must have exactly one of {', '.join(FORMS)}"))
    if problems:
        raise InvalidError(problems)
    return document


def _refuse(constant: str) -> t.NoReturn:
    raise ValueError(f"{constant} is not a JSON number; write null where a value is missing")


def _records(data: t.Any, signature: Signature, problems: list[Problem], form: str = "dataframe_records") -> Input:
    if not isinstance(data, list) or not data:
        problems.append(Problem((form,), "must be a list of at least one row"))
        return Input(None)
    columns = signature.columns
    rows = []
    for number, row in enumerate(data):
        if not isinstance(row, dict):
            problems.append(Problem((form, number), "must be an object with the model's fields"))
        else:
            rows.append(values.record(row, columns, (form, number), problems) if columns else row)
    names = columns or dict.fromkeys(name for row in rows for name in row)
    found = {name: [row.get(name) for row in rows] for name in names}
    if problems:
        return Input(None)
    if signature.is_tensor:
        return _inputs(tensors.of_rows(found, signature.inputs or []), signature, problems, form)
    return Input(_without_gaps(found, columns, form, problems))


def _without_gaps(
    found: dict[str, list[t.Any]], columns: t.Mapping[str, Type], form: str, problems: list[Problem]
) -> dict[str, list[t.Any]]:
    """MLflow takes no whole number that is missing: an optional column that no row has is left out."""
    gaps = {name for name, kind in columns.items() if kind["type"] in values.RANGES and None in found[name]}
    for name in sorted(gaps):
        if any(value is not None for value in found[name]):
            why = "must be a whole number in each row, or in none: MLflow knows no missing whole numbers"
            problems.append(Problem((form, found[name].index(None), name), why))
    return {name: column for name, column in found.items() if name not in gaps}


def _split(data: t.Any, signature: Signature, problems: list[Problem]) -> Input:
    form = "dataframe_split"
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("columns"), list)
        or not isinstance(data.get("data"), list)
    ):
        problems.append(Problem((form,), "must be an object with the lists columns and data"))
        return Input(None)
    names = [str(name) if type(name) is int else name for name in data["columns"]]  # pandas numbers them
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        problems.append(Problem((form, "columns"), "must be texts or whole numbers, each one once"))
        return Input(None)
    for number, row in enumerate(data["data"]):
        if not isinstance(row, list) or len(row) != len(names):
            problems.append(Problem((form, "data", number), f"must be a list of {len(names)} values, as columns"))
            return Input(None)
    return _records([dict(zip(names, row)) for row in data["data"]], signature, problems, form)


def _inputs(data: t.Any, signature: Signature, problems: list[Problem], form: str = "inputs") -> Input:
    if signature.columns:
        return _records(data, signature, problems, form)
    if signature.is_tensor:
        tensors.check(data, signature.inputs or [], form, problems)
    elif signature.inputs and isinstance(data, list):
        data = [values.checked(item, signature.inputs[0], (form, n), problems) for n, item in enumerate(data)]
    elif signature.inputs:
        problems.append(Problem((form,), "must be a list"))
    return Input(None, data)


_FORMS: dict[str, t.Callable[[t.Any, Signature, list[Problem]], Input]] = {
    "dataframe_records": _records,
    "dataframe_split": _split,
    "inputs": _inputs,
}


def _params(given: t.Any, signature: Signature, problems: list[Problem]) -> dict[str, t.Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        problems.append(Problem(("params",), "must be an object"))
        return None
    kinds = {str(item["name"]): param_type(item) for item in signature.params or []}
    for name in given:
        if name not in kinds:
            known = ", ".join(kinds) or "it has none"
            problems.append(Problem(("params", name), f"is not a parameter of the model; known: {known}"))
    return {
        name: values.checked(given[name], kind, ("params", name), problems)
        for name, kind in kinds.items()
        if name in given
    }


def param_type(item: Type) -> Type:
    """A parameter with a shape is a list."""
    scalar = {"type": item["type"] if item["type"] in values.SCALARS else "any"}
    return {"type": "array", "items": scalar} if item.get("shape") else scalar
