# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One model and the one thread that it predicts in: it need not be thread-safe, and the replica stays responsive."""

from __future__ import annotations

import asyncio
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from . import result
from .request import Input, InvalidError, Signature
from .values import Problem, Type

DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
DTYPES |= {"datetime": "datetime64[ns]"}
Outcome = t.Union[t.Any, InvalidError, Exception]


def frame(columns: t.Mapping[str, list[t.Any]], kinds: t.Mapping[str, Type]) -> pd.DataFrame:
    """The rows with the signature's types; a column with a missing value gets the type that pandas finds for it."""
    return pd.DataFrame({name: _column(values, kinds.get(name)) for name, values in columns.items()})


def _column(values: list[t.Any], kind: Type | None) -> pd.Series:
    dtype = None if kind is None else DTYPES.get(kind["type"], "object")
    whole = dtype in ("bool", "int32", "int64")
    return pd.Series(values, dtype=None if whole and None in values else dtype)


class Predictor:
    """Predicts, one call at a time."""

    def __init__(self, model: PyFuncModel, signature: Signature) -> None:
        self.model, self.signature = model, signature
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def one(self, item: Input) -> t.Any:
        """The prediction for one request."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, self._predict, item)

    async def many(self, items: list[Input]) -> list[Outcome]:
        """The outcomes of several requests, together where that is possible, else one by one."""
        if len(items) > 1 and all(item.columns and item.params == items[0].params for item in items):
            names = list(items[0].columns or {})
            if all(list(item.columns or {}) == names for item in items):
                joined = {name: [value for item in items for value in (item.columns or {})[name]] for name in names}
                future = asyncio.ensure_future(self.one(Input(joined, params=items[0].params)))
                await asyncio.wait([future])
                if future.exception() is None:
                    return result.split(future.result(), [item.rows for item in items])
        return await asyncio.gather(*(self.one(item) for item in items), return_exceptions=True)

    def _predict(self, item: Input) -> t.Any:
        data = item.data if item.columns is None else frame(item.columns, self.signature.columns)
        try:
            return self.model.predict(data, params=item.params)
        except MlflowException as error:
            if error.get_http_status_code() == 400:  # what our check let pass and MLflow's own does not
                raise InvalidError([Problem((), error.message)]) from error
            raise
