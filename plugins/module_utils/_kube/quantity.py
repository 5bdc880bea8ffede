# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Quantities such as 1500m, 1.5 and 2Gi."""

from __future__ import annotations

import re
import typing as t
from decimal import Decimal

FORM = re.compile(r"^([+-]?[0-9]*\.?[0-9]+|[+-]?[0-9]+\.)(?:([eE][+-]?[0-9]+)|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E))?$")
FACTORS = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{
        suffix: Decimal(1000) ** power
        for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
}
# Fields whose values, or whose mappings' values, are quantities.
HOLDERS = frozenset({"limits", "requests", "capacity", "hard"})
FIELDS = frozenset({"sizeLimit", "divisor", "averageValue"})


def value_of(text: t.Any) -> Decimal | None:
    """The number that a quantity stands for, or None when it is none."""
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        return None
    found = FORM.match(str(text))
    if not found:
        return None
    return Decimal(found[1] + (found[2] or "")) * FACTORS[found[3] or ""]


def equal(one: t.Any, other: t.Any) -> bool:
    """Whether two values are the same quantity."""
    first = value_of(one)
    return first is not None and first == value_of(other)
