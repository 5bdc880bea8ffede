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
# Where the built-in kinds have quantities: mappings of them, and single ones, each with the field above it.
HOLDERS = frozenset(
    {("resources", "limits"), ("resources", "requests"), ("spec", "capacity"), ("spec", "hard"), ("spec", "overhead")}
    | {("overhead", "podFixed")}
    | {("limits", bound) for bound in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")}
)
FIELDS = frozenset(
    {("emptyDir", "sizeLimit"), ("resourceFieldRef", "divisor"), ("target", "averageValue"), ("target", "value")}
)


def is_quantity(path: t.Sequence[str]) -> bool:
    """Whether a built-in kind has a quantity at this place."""
    return tuple(path[-3:-1]) in HOLDERS or tuple(path[-2:]) in FIELDS


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
