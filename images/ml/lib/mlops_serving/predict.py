# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One model and the one thread that it predicts in: it need not be thread-safe, and the replica stays responsive."""

from __future__ import annotations

import asyncio
import logging
import typing as t
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from . import result
from .request import Input, InvalidError, Signature
from .values import Loc, Problem, Type

LOGGER = logging.getLogger("ray.serve")

DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
DTYPES |= {"datetime": "datetime64[ns]"}
Outcome = t.Union[t.Any, InvalidError, Exception]


def frame(columns: t.Mapping[str, list[t.Any]], kinds: t.Mapping[str, Type]) -> pd.DataFrame:
    """The rows with the signature's names and types; where truth is missing, pandas finds the type."""
    found = {name: _column(values, kinds.get(name)) for name, values in columns.items()}
    # A signature's names may be numbers; those of a request are texts.
    return pd.DataFrame({kinds.get(name, {}).get("name", name): column for name, column in found.items()})


def _column(values: list[t.Any], kind: Type | None) -> pd.Series:
    dtype = None if kind is None else DTYPES.get(kind["type"], "object")
    return pd.Series(values, dtype=None if dtype == "bool" and None in values else dtype)


def arrays(data: t.Any, inputs: t.Sequence[Type]) -> t.Any:
    """The arrays of a model that takes arrays, with the types of its signature: MLflow takes no lists for them."""
    if len(inputs) == 1 and inputs[0].get("name") is None:
        return _array(data, inputs[0]["tensor-spec"], ("inputs",))
    specs = {str(item["name"]): item["tensor-spec"] for item in inputs}
    return {name: _array(data[name], spec, ("inputs", name)) for name, spec in specs.items()}


def _array(data: t.Any, spec: Type, loc: Loc) -> t.Any:
    try:
        return np.array(data, dtype=spec["dtype"])
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidError([Problem(loc, f"must be an array of {spec['dtype']}: {error}")]) from error


class Predictor:
    """Predicts, one call at a time."""

    def __init__(self, model: PyFuncModel, signature: Signature) -> None:
        self.model, self.signature = model, signature
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self.together = True

    async def one(self, item: Input) -> t.Any:
        """The prediction for one request."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, self._predict, item)

    async def many(self, items: list[Input]) -> list[Outcome]:
        """The outcomes of several requests, together where that is possible, else one by one."""
        found = await self._joined(items) if self.together and len(items) > 1 else None
        return found or await asyncio.gather(*(self.one(item) for item in items), return_exceptions=True)

    async def _joined(self, items: list[Input]) -> list[Outcome] | None:
        """The outcomes, predicted as one request; None where that is not possible."""
        names = list(items[0].columns or {})
        if not names or not all(list(item.columns or {}) == names and item.params == items[0].params for item in items):
            return None
        joined = {name: [value for item in items for value in (item.columns or {})[name]] for name in names}
        future = asyncio.ensure_future(self.one(Input(joined, params=items[0].params)))
        await asyncio.wait([future])
        if future.exception() is not None:
            return None
        try:
            return result.split(future.result(), [item.rows for item in items])
        except ValueError as error:
            self.together = False
            LOGGER.warning("requests are predicted one by one from now on: %s", error)
            return None

    def _predict(self, item: Input) -> t.Any:
        try:
            data = self._data(item)
            return self.model.predict(data, params=item.params)
        except MlflowException as error:
            if error.get_http_status_code() == 400:  # what our check let pass and MLflow's own does not
                raise InvalidError([Problem((), error.message)]) from error
            raise

    def _data(self, item: Input) -> t.Any:
        """The request as the model takes it."""
        if item.columns is not None:
            return frame(item.columns, self.signature.columns)
        return arrays(item.data, self.signature.inputs or []) if self.signature.is_tensor else item.data
