# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's prediction as JSON. Works on what numpy and pandas objects can do, without importing them."""

from __future__ import annotations

import base64
import json
import math
import typing as t

MISSING = ("NaTType", "NAType")  # of pandas
NAMES = (str, int, float, type(None))  # which JSON takes for a name


def plain(prediction: t.Any) -> t.Any:
    """The prediction as lists, dictionaries and scalars."""
    if hasattr(prediction, "to_dict") and hasattr(prediction, "columns"):
        return prediction.to_dict(orient="records")
    if type(prediction).__module__ == "numpy" and prediction.dtype.kind == "M":
        prediction = prediction.astype("datetime64[us]")  # nanoseconds would become numbers
    if hasattr(prediction, "tolist"):
        return prediction.tolist()
    if isinstance(prediction, dict):
        return {name: plain(value) for name, value in prediction.items()}
    return prediction


def encode(document: t.Any) -> bytes:
    """JSON text. It has no NaN, no infinity and no missing time: null stands for them; bytes are base64 text, as in
    requests, and names are texts.
    """
    try:
        text = json.dumps(document, default=_other, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError):
        text = json.dumps(_as_in_json(document), default=_other, separators=(",", ":"))
    return text.encode()


def _other(value: t.Any) -> t.Any:
    if type(value).__name__ in MISSING:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else plain_or_text(value)


def plain_or_text(value: t.Any) -> t.Any:
    """What JSON does not know: arrays and scalars of numpy, else the text of it."""
    found = plain(value)
    return str(value) if found is value else found


def _as_in_json(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name if isinstance(name, NAMES) else str(name): _as_in_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_in_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    found = plain(value)
    return value if found is value else _as_in_json(found)


def split(prediction: t.Any, lengths: t.Sequence[int]) -> list[t.Any]:
    """The parts of a prediction of several requests' rows; ValueError when it is not one item for each row."""
    if isinstance(prediction, dict) or not hasattr(prediction, "__len__") or len(prediction) != sum(lengths):
        raise ValueError("the model does not answer with one item for each row, so that its requests cannot be batched")
    rows = prediction.iloc if hasattr(prediction, "iloc") else prediction
    found, start = [], 0
    for length in lengths:
        found.append(rows[start : start + length])
        start += length
    return found
