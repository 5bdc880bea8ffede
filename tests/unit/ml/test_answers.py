# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the served model says: predictions as JSON, the OpenAPI document and the page of it; and its settings."""

from __future__ import annotations

import datetime
import html
import json
import shlex
import typing as t

import pytest
from mlops_ray import RayError
from mlops_serving import openapi, page, result, settings
from mlops_serving.request import Signature, parse

COLUMNS = Signature(
    inputs=[
        {"type": "double", "name": "<width>", "required": True},
        {"type": "datetime", "name": "when", "required": False},
        {"type": "array", "items": {"type": "long"}, "name": "counts", "required": True},
    ]
)
TENSOR = Signature(inputs=[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}])
TEXTS = Signature(inputs=[{"type": "string", "required": True}])


class Array:
    """What of numpy's arrays is used."""

    def __init__(self, items: list[t.Any]) -> None:
        self.items = items

    def tolist(self) -> list[t.Any]:
        return self.items


class NaTType:
    """A missing time, as pandas has it."""

    def isoformat(self) -> str:
        return "NaT"


@pytest.mark.parametrize(
    ("prediction", "text"),
    [
        (Array([1, 2]), "[1,2]"),
        ([Array([1.5])], "[[1.5]]"),
        ({"a": Array([float("nan"), 1.0])}, '{"a":[null,1.0]}'),
        ([float("inf"), (float("nan"), Array([float("-inf")]))], "[null,[null,[null]]]"),
        ([b"\xffab", {1}], '["/2Fi","{1}"]'),
        ([NaTType(), datetime.datetime(2026, 1, 31)], '[null,"2026-01-31T00:00:00"]'),
        ([{(1, "a"): 1, 2: float("nan")}], '[{"(1, \'a\')":1,"2":null}]'),
    ],
)
def test_predictions_become_json(prediction: t.Any, text: str) -> None:
    assert result.encode(result.plain(prediction)).decode() == text


def test_a_batch_is_taken_apart() -> None:
    assert result.split([1, 2, 3, 4], [1, 3]) == [[1], [2, 3, 4]]


@pytest.mark.parametrize("prediction", [[1, 2], {"a": [1, 2, 3]}, 5])
def test_a_batch_without_one_item_for_each_row_is_an_error(prediction: t.Any) -> None:
    with pytest.raises(ValueError, match="one item for each row"):
        result.split(prediction, [1, 2])


@pytest.mark.parametrize("signature", [COLUMNS, TENSOR, TEXTS, Signature()])
def test_the_example_of_the_document_is_a_valid_request(signature: Signature) -> None:
    content = openapi.document("m", "1", "/m", signature)["paths"]["/predict"]["post"]["requestBody"]["content"]
    parse(json.dumps(content["application/json"]["example"]).encode(), signature)


def test_the_document_tells_the_fields() -> None:
    rows = openapi.body(COLUMNS)["properties"]["dataframe_records"]["items"]
    assert rows["required"] == ["<width>", "counts"]
    assert rows["properties"]["when"]["type"] == ["string", "null"]
    assert rows["properties"]["counts"]["items"] == {"type": "integer", "format": "int64"}


def test_the_document_of_a_model_without_a_signature_allows_all_forms() -> None:
    document = openapi.document("m", "1", "/m", Signature())
    schema = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"dataframe_records", "dataframe_split", "inputs"}
    assert "<h1>m 1</h1>" in page.render(document)


def test_a_parameter_with_a_shape_is_a_list_in_the_document() -> None:
    signature = Signature(params=[{"name": "stop", "type": "string", "default": [], "shape": [-1]}])
    assert openapi.body(signature)["properties"]["params"]["properties"] == {
        "stop": {"type": "array", "items": {"type": "string"}}
    }


def test_the_pages_command_may_be_pasted() -> None:
    quoted = Signature(inputs=[{"type": "string", "name": "it's", "required": True}])
    text = html.unescape(page.render(openapi.document("m", "1", "/m", quoted)))
    command = text.partition("<pre>")[2].partition("</pre>")[0]
    assert json.loads(shlex.split(command)[4]) == {"dataframe_records": [{"it's": "text"}]}


def test_the_page_escapes_names_and_needs_nothing_from_elsewhere() -> None:
    text = page.render(openapi.document("<m>", "1", "/m", COLUMNS))
    assert "&lt;m&gt;" in text
    assert "<width>" not in text
    assert "http" not in text.replace("curl -H", "")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "model_uri"),
        ({"model_uri": "iris"}, "model_uri"),
        ({"model_uri": "models:/a/1", "replicas": 2}, "replicas"),
        ({"model_uri": "models:/a/1", "batching": 4}, "batching"),
        ({"model_uri": "models:/a/1", "batching": {"size": 4}}, "batching.size"),
        ({"model_uri": "models:/a/1", "batching": {"max_batch_size": 0}}, "batching.max_batch_size"),
        ({"model_uri": "models:/a/1", "batching": {"max_batch_size": True}}, "batching.max_batch_size"),
        ({"model_uri": "models:/a/1", "batching": {"wait_s": -1}}, "batching.wait_s"),
        ({"model_uri": "models:/a/1", "load_timeout_s": "1"}, "load_timeout_s"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, t.Any], field: str) -> None:
    with pytest.raises(RayError, match=f"^{field}: "):
        settings.parse(arguments)


def test_the_defaults_do_not_batch() -> None:
    assert settings.parse({"model_uri": "models:/a/1"}) == ("models:/a/1", (1, 0.01), 900.0)
    found = settings.parse({"model_uri": "models:/a/1", "batching": {"max_batch_size": 8}})
    assert found.batches == (8, 0.01)
