# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model: features of one's own, cities by their risk (target encoding), and a logistic regression."""

from __future__ import annotations

import pandas as pd
from category_encoders import TargetEncoder
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from .data import COLUMNS, customers


class Features(TransformerMixin, BaseEstimator):
    """Adds what a customer has paid so far, which no library does for us."""

    def fit(self, frame: pd.DataFrame, _target: object = None) -> Features:
        """Nothing is learnt here."""
        self.columns_ = list(frame.columns)
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with one more column."""
        return frame.assign(paid=frame["months"] * frame["monthly_fee"])


def trained() -> Pipeline:
    """The model, trained on the customers: the same one in each process."""
    frame = customers()
    steps = [Features(), TargetEncoder(cols=["city", "contract"]), StandardScaler(), LogisticRegression()]
    return make_pipeline(*steps).fit(frame[COLUMNS], frame["left"])


def risks(model: Pipeline, frame: pd.DataFrame) -> list[float]:
    """How likely each customer is to leave, from 0 to 1."""
    return [round(float(risk), 6) for risk in model.predict_proba(frame[COLUMNS])[:, 1]]
