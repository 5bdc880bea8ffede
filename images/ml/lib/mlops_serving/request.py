# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a prediction request against the model's signature, before the model sees it.

The forms are those of MLflow's own server: ``dataframe_records``, ``dataframe_split``, ``inputs``, and ``params``.
"""

from __future__ import annotations

import json
import typing as t

from . import values
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
    return Input({name: [row.get(name) for row in rows] for name in names})


def _split(data: t.Any, signature: Signature, problems: list[Problem]) -> Input:
    form = "dataframe_split"
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("columns"), list)
        or not isinstance(data.get("data"), list)
    ):
        problems.append(Problem((form,), "must be an object with the lists columns and data"))
        return Input(None)
    names = data["columns"]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        problems.append(Problem((form, "columns"), "must be texts, each one once"))
        return Input(None)
    for number, row in enumerate(data["data"]):
        if not isinstance(row, list) or len(row) != len(names):
            problems.append(Problem((form, "data", number), f"must be a list of {len(names)} values, as columns"))
            return Input(None)
    return _records([dict(zip(names, row)) for row in data["data"]], signature, problems, form)


def _inputs(data: t.Any, signature: Signature, problems: list[Problem]) -> Input:
    if signature.columns:
        return _records(data, signature, problems, "inputs")
    if signature.is_tensor:
        _check_tensors(data, signature.inputs or [], problems)
    elif signature.inputs and isinstance(data, list):
        data = [values.checked(item, signature.inputs[0], ("inputs", n), problems) for n, item in enumerate(data)]
    elif signature.inputs:
        problems.append(Problem(("inputs",), "must be a list"))
    return Input(None, data)


_FORMS: dict[str, t.Callable[[t.Any, Signature, list[Problem]], Input]] = {
    "dataframe_records": _records,
    "dataframe_split": _split,
    "inputs": _inputs,
}


def _check_tensors(data: t.Any, wanted: list[Type], problems: list[Problem]) -> None:
    if len(wanted) == 1 and wanted[0].get("name") is None:
        _check_tensor(data, wanted[0]["tensor-spec"], ("inputs",), problems)
        return
    specs = {str(item["name"]): item["tensor-spec"] for item in wanted}
    if not isinstance(data, dict):
        problems.append(Problem(("inputs",), f"must be an object with {', '.join(specs)}"))
        return
    for name in {**specs, **data}:
        if name not in specs or name not in data:
            why = "is missing" if name in specs else f"is not an input of the model; its inputs are {', '.join(specs)}"
            problems.append(Problem(("inputs", name), why))
        else:
            _check_tensor(data[name], specs[name], ("inputs", name), problems)


def _check_tensor(data: t.Any, spec: Type, loc: values.Loc, problems: list[Problem]) -> None:
    """Each level must have the length that the shape wants; -1 is any length, the same for all."""
    kind = {"f": "double", "i": "long", "u": "long", "b": "boolean"}.get(spec["dtype"][:1], "any")
    before, lengths = len(problems), [None if length == -1 else length for length in spec["shape"]]

    def walk(value: t.Any, level: int, loc: values.Loc) -> None:
        if len(problems) > before:
            return
        if level == len(lengths):
            values.checked(value, {"type": kind}, loc, problems)
            return
        if isinstance(value, list) and lengths[level] is None:
            lengths[level] = len(value)
        if not isinstance(value, list) or len(value) != lengths[level]:
            length = lengths[level] if lengths[level] is not None else "any number of"
            problems.append(Problem(loc, f"must be a list of {length} items: the model's shape is {spec['shape']}"))
            return
        for number, item in enumerate(value):
            walk(item, level + 1, (*loc, number))

    walk(data, 0, loc)


def _params(given: t.Any, signature: Signature, problems: list[Problem]) -> dict[str, t.Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        problems.append(Problem(("params",), "must be an object"))
        return None
    kinds = {str(item["name"]): _param_type(item) for item in signature.params or []}
    for name in given:
        if name not in kinds:
            known = ", ".join(kinds) or "it has none"
            problems.append(Problem(("params", name), f"is not a parameter of the model; known: {known}"))
    return {
        name: values.checked(given[name], kind, ("params", name), problems)
        for name, kind in kinds.items()
        if name in given
    }


def _param_type(item: Type) -> Type:
    """A parameter with a shape is a list."""
    scalar = {"type": item["type"] if item["type"] in values.SCALARS else "any"}
    return {"type": "array", "items": scalar} if item.get("shape") else scalar
