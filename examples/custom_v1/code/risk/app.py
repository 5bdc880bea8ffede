# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Serve application of this code: ``risk.app:build``. Pydantic checks the requests and makes the OpenAPI document.

Without ``from __future__ import annotations``: Serve makes the routes anew, and FastAPI then needs real types.
"""

import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from .model import risks, trained

api = FastAPI(title="Risk")


class Customer(BaseModel):
    """One customer."""

    model_config = ConfigDict(extra="forbid")
    city: str
    contract: str
    months: int = Field(ge=0)
    monthly_fee: float = Field(ge=0)


class Customers(BaseModel):
    """A request: the same form as for models from MLflow."""

    dataframe_records: list[Customer] = Field(min_length=1)


@serve.deployment(max_ongoing_requests=100)
@serve.ingress(api)
class Risk:
    """One replica; it trains the model when it starts, which takes less than a second."""

    def __init__(self, version: str) -> None:
        self.version, self.model = version, trained()

    @api.post("/predict")
    def predict(self, asked: Customers) -> dict[str, list[float]]:
        """The risk of each customer."""
        frame = pd.DataFrame([customer.model_dump() for customer in asked.dataframe_records])
        return {"predictions": risks(self.model, frame)}

    @api.get("/health")
    def health(self) -> dict[str, str]:
        """Whether the model answers."""
        return {"status": "ok"}

    @api.get("/metadata")
    def metadata(self) -> dict[str, str]:
        """What this is."""
        return {"model": "risk", "version": self.version}


def build(arguments: dict[str, str]) -> serve.Application:
    """The application; its argument is the version that /metadata tells."""
    return Risk.bind(arguments.get("version", ""))
