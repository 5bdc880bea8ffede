# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prediction request may say, against a model's signature."""

from __future__ import annotations

import datetime
import json
import math
import typing as t

import pytest
from mlops_serving import tensors
from mlops_serving.request import MOST_PROBLEMS, InvalidError, Signature, parse

COLUMNS = Signature(
    inputs=[
        {"type": "double", "name": "width", "required": True},
        {"type": "long", "name": "count", "required": True},
        {"type": "string", "name": "city", "required": False},
    ],
    params=[{"name": "top", "type": "long", "default": 1, "shape": None}],
)
TENSOR = Signature(inputs=[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}])
ROW = {"width": 1.5, "count": 2, "city": "Lima"}


def body(**document: t.Any) -> bytes:
    """JSON, with infinity as a number that is too large: so it may stand in a request."""
    return json.dumps(document).replace("Infinity", "1e999").encode()


def refused(content: bytes, signature: Signature = COLUMNS) -> list[tuple[t.Any, ...]]:
    with pytest.raises(InvalidError) as caught:
        parse(content, signature)
    return [(*problem.loc, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_records": [ROW]},
        {"inputs": [ROW]},
        {"dataframe_split": {"columns": ["city", "width", "count"], "data": [["Lima", 1.5, 2]]}},
    ],
)
def test_each_form_gives_the_same_columns_in_the_signatures_order(document: dict[str, t.Any]) -> None:
    found = parse(body(**document), COLUMNS)
    assert list((found.columns or {}).items()) == [("width", [1.5]), ("count", [2]), ("city", ["Lima"])]
    assert found.rows == 1


def test_an_optional_column_may_be_absent_or_null() -> None:
    rows = [{"width": 1, "count": 2}, {"width": 1, "count": 2, "city": None}]
    assert (parse(body(dataframe_records=rows), COLUMNS).columns or {})["city"] == [None, None]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"width": "wide"}, "width", "must be a number, not 'wide'"),
        ({"width": True}, "width", "must be a number, not True"),
        ({"width": None}, "width", "must be a number, not null"),
        ({"count": 2.5}, "count", "must be a whole number, not 2.5"),
        ({"count": 2**63}, "count", "must be a whole number of 64 bits, not 9223372036854775808"),
        ({"width": 10**400}, "width", "must be a number that fits into 64 bits"),
        ({"width": math.inf}, "width", "must be a number that fits into 64 bits, not inf"),
        ({"city": 3}, "city", "must be a text, not 3"),
        ({"town": "Lima"}, "town", "is not a field of the model; its fields are width, count, city"),
    ],
)
def test_the_field_of_a_wrong_value_is_named(change: dict[str, t.Any], field: str, words: str) -> None:
    found = refused(body(dataframe_records=[ROW, {**ROW, **change}]))
    assert [item[:3] for item in found] == [("dataframe_records", 1, field)]
    assert found[0][3].startswith(words)


def test_a_number_of_32_bits_is_no_larger_than_that() -> None:
    small = Signature(inputs=[{"type": "float", "name": "width", "required": True}])
    assert refused(body(inputs=[{"width": -3.5e38}]), small)[0][-1].startswith("must be a number that fits into 32")
    assert (parse(body(inputs=[{"width": 3.4e38}]), small).columns or {})["width"] == [3.4e38]


@pytest.mark.parametrize("kind", ["integer", "long"])
def test_an_optional_whole_number_is_there_in_each_row_or_in_none(kind: str) -> None:
    """MLflow itself takes no missing one, and takes a request without the column."""
    rooms = {"type": kind, "name": "rooms", "required": False}
    signature = Signature(inputs=[{"type": "double", "name": "size", "required": True}, rooms])
    without = parse(body(inputs=[{"size": 1}, {"size": 2, "rooms": None}]), signature)
    assert without.columns == {"size": [1.0, 2.0]}
    assert (parse(body(inputs=[{"size": 1, "rooms": 3}]), signature).columns or {})["rooms"] == [3]
    found = refused(body(inputs=[{"size": 1, "rooms": 3}, {"size": 2}]), signature)
    assert found[0][:-1] == ("inputs", 1, "rooms")
    assert found[0][-1].startswith("must be a whole number in each row, or in none")


def test_columns_may_be_numbered() -> None:
    numbered = Signature(inputs=[{"type": "long", "name": number, "required": True} for number in (0, 1)])
    for document in ({"dataframe_split": {"columns": [1, 0], "data": [[4, 3]]}}, {"inputs": [{"0": 3, "1": 4}]}):
        assert parse(body(**document), numbered).columns == {"0": [3], "1": [4]}


WHEN = Signature(inputs=[{"type": "datetime", "name": "when", "required": True}])


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00", "2026-01-31T12:00:00"),
        ("2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00"),
        ("2026-01-31T12:00:00-05:00", "2026-01-31T17:00:00"),
        ("1677-09-22", "1677-09-22T00:00:00"),
    ],
)
def test_a_time_becomes_one_of_utc_without_a_zone(text: str, time: str) -> None:
    found = parse(body(inputs=[{"when": text}]), WHEN)
    assert (found.columns or {})["when"] == [datetime.datetime.fromisoformat(time)]


@pytest.mark.parametrize("text", ["9999-12-31", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "1677-09-21"])
def test_a_time_that_does_not_fit_is_refused(text: str) -> None:
    assert refused(body(inputs=[{"when": text}]), WHEN)[0][-1].startswith("must be a time from 1677-09-22 to 2262")


def test_a_missing_field_is_named() -> None:
    found = refused(body(dataframe_records=[{"count": 2}]))
    assert found == [("dataframe_records", 0, "width", "is missing; it must be a number")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100000, "is not JSON"),
        (b'{"inputs": [NaN]}', "NaN is not a JSON number; write null"),
        (b"[]", "must be an object with one of"),
        (b"{}", "must have exactly one of"),
        (body(inputs=[ROW], dataframe_records=[ROW]), "must have exactly one of"),
        (body(rows=[ROW]), "is not known here; known are dataframe_records"),
        (body(inputs=[]), "must be a list of at least one row"),
        (body(inputs=[5]), "must be an object with the model's fields"),
        (body(dataframe_split={"columns": ["a"]}), "must be an object with the lists columns and data"),
        (body(dataframe_split={"columns": ["a", "a"], "data": []}), "must be texts or whole numbers, each one once"),
        (body(dataframe_split={"columns": ["1", 1], "data": []}), "must be texts or whole numbers, each one once"),
        (body(dataframe_split={"columns": [True], "data": []}), "must be texts or whole numbers, each one once"),
        (body(dataframe_split={"columns": ["a"], "data": [[1, 2]]}), "must be a list of 1 values"),
        (body(inputs=[ROW], params=3), "must be an object"),
        (body(inputs=[ROW], params={"bottom": 3}), "is not a parameter of the model; known: top"),
        (body(inputs=[ROW], params={"top": "x"}), "must be a whole number"),
    ],
)
def test_a_request_that_is_none_is_refused(content: bytes, words: str) -> None:
    assert any(words in item[-1] for item in refused(content))


def test_params_reach_the_model() -> None:
    assert parse(body(inputs=[ROW], params={"top": 3}), COLUMNS).params == {"top": 3}


@pytest.mark.parametrize(
    ("data", "loc"),
    [
        ([[1.0, 2.0], [1.0]], ("inputs", 1)),
        ([[1.0, 2.0, 3.0]], ("inputs", 0)),
        ([[1.0, "x"]], ("inputs", 0, 1)),
        ([[1.0, math.inf]], ("inputs", 0, 1)),
        (3, ("inputs",)),
        ([], ("inputs",)),
    ],
)
def test_an_array_of_another_shape_or_type_is_refused(data: t.Any, loc: tuple[t.Any, ...]) -> None:
    assert refused(body(inputs=data), TENSOR)[0][:-1] == loc


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("float64", "double"),
        ("float32", "float"),
        ("uint8", "long"),
        ("int64", "long"),
        ("bool", "boolean"),
        ("str", "string"),
        ("object", "any"),
        ("datetime64[ns]", "any"),
    ],
)
def test_the_elements_of_an_array_are_checked_by_its_type(dtype: str, kind: str) -> None:
    assert tensors.element(dtype) == kind


def test_an_array_of_the_right_shape_is_passed_on() -> None:
    assert parse(body(inputs=[[1, 2], [3, 4]]), TENSOR).data == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}},
        {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
    ],
)
def test_rows_are_an_array_for_a_model_that_takes_one(document: dict[str, t.Any]) -> None:
    assert parse(body(**document), TENSOR)[:2] == (None, [[1, 2], [3, 4]])
    flat = Signature(inputs=[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}])
    assert parse(body(inputs=[1, 2]), flat).data == parse(body(dataframe_records=[{"a": 1}, {"a": 2}]), flat).data
    assert refused(body(dataframe_records=[{"a": 1}]), TENSOR)[0][:-1] == ("dataframe_records", 0)
    assert refused(body(dataframe_records=[{"a": 1, "b": "x"}]), TENSOR)[0][:-1] == ("dataframe_records", 0, 1)


def test_named_arrays_must_all_be_there() -> None:
    spec = {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}
    signature = Signature(inputs=[{**spec, "name": "a"}, {**spec, "name": "b"}])
    assert [item[:2] for item in refused(body(inputs={"a": [1], "c": [1]}), signature)] == [
        ("inputs", "b"),
        ("inputs", "c"),
    ]
    for document in ({"inputs": {"a": [1], "b": [2]}}, {"dataframe_records": [{"a": 1, "b": 2}]}):
        assert parse(body(**document), signature).data == {"a": [1], "b": [2]}


def test_nested_types_are_checked() -> None:
    item = {"type": "object", "properties": {"x": {"type": "double", "required": True}}}
    signature = Signature(inputs=[{"type": "array", "items": item, "name": "points", "required": True}])
    assert refused(body(inputs=[{"points": [{"x": 1}, {"x": "y"}]}]), signature)[0][:-1] == (
        "inputs", 0, "points", 1, "x",
    )  # fmt: skip


def test_without_a_signature_everything_passes() -> None:
    assert parse(body(inputs=[[1, "x"]]), Signature()).data == [[1, "x"]]
    assert parse(body(dataframe_records=[{"a": 1}, {"b": 2}]), Signature()).columns == {"a": [1, None], "b": [None, 2]}


def test_the_answer_shows_the_first_problems_and_counts_the_rest() -> None:
    with pytest.raises(InvalidError) as caught:
        parse(body(inputs=[{"count": 1}] * (MOST_PROBLEMS + 5)), COLUMNS)
    found = caught.value.body()
    assert len(found["detail"]) == MOST_PROBLEMS
    assert found["more_errors"] == 5
    assert found["detail"][0]["loc"] == ["body", "inputs", 0, "width"]
