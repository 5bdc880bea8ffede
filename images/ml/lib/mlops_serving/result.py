# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's prediction as JSON. Works on what numpy and pandas objects can do, without importing them."""

from __future__ import annotations

import json
import math
import typing as t


def plain(prediction: t.Any) -> t.Any:
    """The prediction as lists, dictionaries and scalars."""
    if hasattr(prediction, "to_dict") and hasattr(prediction, "columns"):
        return prediction.to_dict(orient="records")
    if hasattr(prediction, "tolist"):
        return prediction.tolist()
    if isinstance(prediction, dict):
        return {name: plain(value) for name, value in prediction.items()}
    return prediction


def encode(document: t.Any) -> bytes:
    """JSON text; JSON has no NaN and no infinity, null stands for them."""
    try:
        text = json.dumps(document, default=_other, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_without_nan(document), default=_other, separators=(",", ":"))
    return text.encode()


def _other(value: t.Any) -> t.Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.decode("ascii", "replace") if isinstance(value, bytes) else plain_or_text(value)


def plain_or_text(value: t.Any) -> t.Any:
    """What JSON does not know: arrays and scalars of numpy, else the text of it."""
    found = plain(value)
    return str(value) if found is value else found


def _without_nan(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    found = plain(value)
    return value if found is value else _without_nan(found)


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
