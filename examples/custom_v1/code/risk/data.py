# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers, made up by a fixed rule: the same in each process, so that models trained on them are the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMNS = ["city", "contract", "months", "monthly_fee"]
SEED, ROWS = 7, 600
CITIES = {"Arequipa": 0.2, "Cusco": -0.4, "Lima": 0.6, "Piura": 0.0, "Trujillo": -0.2}
CONTRACTS = {"monthly": 1.2, "yearly": -0.8}


def customers(rows: int = ROWS, seed: int = SEED) -> pd.DataFrame:
    """Customers with the column ``left``: 1 who left."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "city": random.choice(list(CITIES), rows),
            "contract": random.choice(list(CONTRACTS), rows),
            "months": random.integers(1, 72, rows),
            "monthly_fee": random.uniform(10, 90, rows).round(2),
        }
    )
    score = frame["city"].map(CITIES).astype(float) + frame["contract"].map(CONTRACTS).astype(float)
    score += (frame["monthly_fee"] - 50) / 20 - (frame["months"] - 36) / 18
    return frame.assign(left=(random.random(rows) < 1 / (1 + np.exp(-score))).astype(int))
