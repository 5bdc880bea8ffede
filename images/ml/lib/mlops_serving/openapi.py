# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI document of one model: the request's fields come from its signature."""

from __future__ import annotations

import typing as t

from .request import Signature, param_type
from .values import Type

Schema = dict[str, t.Any]
KINDS: dict[str, Schema] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
}
EXAMPLES = {"boolean": True, "integer": 1, "long": 1, "float": 1.5, "double": 1.5, "string": "text"}
EXAMPLES |= {"binary": "AAAA", "datetime": "2026-01-31T12:00:00"}


def schema(kind: Type) -> Schema:
    """The JSON schema of one type of a signature."""
    if kind["type"] == "array":
        found: Schema = {"type": "array", "items": schema(kind["items"])}
    elif kind["type"] == "object":
        found = fields(kind["properties"])
    elif kind["type"] == "map":
        found = {"type": "object", "additionalProperties": schema(kind["values"])}
    elif kind["type"] == "tensor":
        found = {"description": f"{kind['tensor-spec']['dtype']} of shape {kind['tensor-spec']['shape']}"}
        for _axis in kind["tensor-spec"]["shape"]:
            found = {"type": "array", "items": found}
    else:
        found = dict(KINDS.get(kind["type"], {}))
    if not kind.get("required", True) and "type" in found:
        found["type"] = [found["type"], "null"]
    return found


def fields(kinds: t.Mapping[str, Type]) -> Schema:
    """The JSON schema of an object with named fields."""
    needed = [name for name, kind in kinds.items() if kind.get("required", True)]
    found = {"type": "object", "properties": {name: schema(kind) for name, kind in kinds.items()}}
    return {**found, "required": needed, "additionalProperties": False}


def body(signature: Signature) -> Schema:
    """The JSON schema of a request's body."""
    item = fields(signature.columns) if signature.columns else {"type": "object"}
    rows = {"type": "array", "minItems": 1, "items": item}
    split = {"type": "object", "required": ["columns", "data"], "properties": {"columns": {}, "data": {}}}
    inputs = rows if signature.columns else _inputs(signature)
    forms = {"dataframe_records": rows, "dataframe_split": split, "inputs": inputs}
    parameters = {str(item["name"]): schema(param_type(item)) for item in signature.params or []}
    params = {"params": {"type": "object", "properties": parameters}} if parameters else {}
    return {
        "type": "object",
        "properties": {**forms, **params},
        "oneOf": [{"required": [form]} for form in forms],
        "additionalProperties": False,
    }


def _inputs(signature: Signature) -> Schema:
    """What a model without named columns takes: anything, named arrays, one array, or a list."""
    if not signature.inputs:
        return {}
    if signature.inputs[0].get("name") is not None:
        return fields({str(item["name"]): item for item in signature.inputs})
    inner = schema(signature.inputs[0])
    return inner if signature.is_tensor else {"type": "array", "items": inner}


def example(signature: Signature) -> Schema:
    """A request of one row; its values are only of the right type."""
    if signature.columns:
        return {"dataframe_records": [{name: _value(kind) for name, kind in signature.columns.items()}]}
    if not signature.inputs:
        return {"inputs": [1.5]}
    found = {item.get("name"): _value(item) for item in signature.inputs}
    if set(found) != {None}:
        return {"inputs": found}
    return {"inputs": found[None] if signature.is_tensor else [found[None]]}


def _value(kind: Type) -> t.Any:
    if kind["type"] == "array":
        return [_value(kind["items"])]
    if kind["type"] == "object":
        return {name: _value(item) for name, item in kind["properties"].items()}
    if kind["type"] == "map":
        return {"key": _value(kind["values"])}
    if kind["type"] == "tensor":
        found: t.Any = 1.5 if kind["tensor-spec"]["dtype"].startswith("float") else 1
        for length in reversed(kind["tensor-spec"]["shape"]):
            found = [found] * max(length, 1)
        return found
    return EXAMPLES.get(kind["type"])


def document(title: str, version: str, route: str, signature: Signature) -> Schema:
    """The OpenAPI document."""
    problem = {"type": "object", "properties": {"loc": {"type": "array"}, "msg": {"type": "string"}}}
    invalid = {"type": "object", "properties": {"detail": {"type": "array", "items": problem}}}
    outputs = {"type": "object", "properties": {"predictions": {}}, "required": ["predictions"]}
    request = {"schema": body(signature), "example": example(signature)}
    predict = {
        "summary": "Predict",
        "operationId": "predict",
        "requestBody": {"required": True, "content": {"application/json": request}},
        "responses": {
            "200": _answer("The model's predictions, one for each row", outputs),
            "422": _answer("The request is not as the model's signature wants it; loc names the field", invalid),
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": route or "/"}],
        "paths": {
            "/predict": {"post": predict},
            "/health": {"get": _get("health", "Whether the model answers")},
            "/metadata": {"get": _get("metadata", "Model, version, environment and signature")},
        },
    }


def _get(name: str, summary: str) -> Schema:
    return {"summary": summary, "operationId": name, "responses": {"200": _answer(summary, {"type": "object"})}}


def _answer(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
