# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether values that one manager owns as a whole are equal, but for what the server itself makes of them.

Nothing proves here that a single field was ever applied. So only what the server is known to write, or to leave out,
counts as equal; whatever is not in these tables is a difference.
"""

from __future__ import annotations

import typing as t

from .quantity import equal as same_quantity
from .quantity import is_quantity
from .resources import KNOWN, group_of

# The names of the fields that lead to a value; the items of a list have the list's name.
Path = tuple[str, ...]
Defaults = t.Mapping[Path, t.Any]

MATCHING: dict[str, t.Any] = {"namespaceSelector": {}, "objectSelector": {}, "matchPolicy": "Equivalent"}
# What the server writes where a field is missing: the field with the one above it.
BUILT_IN_DEFAULTS: Defaults = {
    ("fieldRef", "apiVersion"): "v1",
    ("ports", "protocol"): "TCP",
    ("resourceFieldRef", "divisor"): "0",
    ("serviceAccountToken", "expirationSeconds"): 3600,
    **{(rules, "scope"): "*" for rules in ("rules", "resourceRules", "excludeResourceRules")},
    **{(above, name): value for above in ("matchConstraints", "matchResources") for name, value in MATCHING.items()},
}
RAY_DEFAULTS: Defaults = {("workerGroupSpecs", "numOfHosts"): 1}
# Mappings and texts of the built-in kinds that are left out when they are empty. Others are pointers, where empty and
# missing differ: a selector {} selects all, storageClassName "" is no class at all, and false is not the default.
LEFT_OUT_MAPPINGS = frozenset({"matchLabels", "labels", "annotations"})
LEFT_OUT_TEXTS = frozenset(
    {("tolerations", name) for name in ("key", "operator", "value", "effect")}
    | {("subjects", "apiGroup"), ("subjects", "namespace"), ("envFrom", "prefix")}
)
# The groups of the built-in kinds; the schemas and defaults in a CRD are free JSON and hold fields by any name.
TYPED = frozenset(group_of(api_version) for api_version, _kind in KNOWN) - {"apiextensions.k8s.io"}


class Rules(t.NamedTuple):
    """What the server makes of the values of a kind."""

    defaults: Defaults
    typed: bool  # kept in the form of its Go type: quantities in one form, and without what is empty


BUILT_IN = Rules(BUILT_IN_DEFAULTS, typed=True)
RAY = Rules(RAY_DEFAULTS, typed=False)
EXACT = Rules({}, typed=False)  # a custom kind keeps what it was given


def rules_of(obj: t.Mapping[str, t.Any]) -> Rules:
    """The rules of an object's kind."""
    group = group_of(obj["apiVersion"])
    if group in TYPED:
        return BUILT_IN
    return RAY if group == "ray.io" else EXACT


def same(wanted: t.Any, live: t.Any, path: Path, rules: Rules) -> bool:
    """Whether a value is equal, but for what the server makes of it."""
    if rules is EXACT:
        return exact(wanted, live)
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(
            same(wanted[name], value, (*path, name), rules) if name in wanted else is_default(value, path, name, rules)
            for name, value in live.items()
        ) and all(name in live or is_left_out(value, path, name, rules) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(same(*pair, path, rules) for pair in zip(wanted, live))
    if type(wanted) is type(live) and wanted == live:
        return True
    return rules.typed and is_quantity(path) and same_quantity(wanted, live)


def exact(one: t.Any, other: t.Any) -> bool:
    """Whether two values are equal, true and 1 being none."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(exact(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(exact(*pair) for pair in zip(one, other))
    return type(one) is type(other) and bool(one == other)


def is_default(value: t.Any, path: Path, name: str, rules: Rules) -> bool:
    """Whether the server wrote the value where none was given."""
    place = (*path[-1:], name)
    return place in rules.defaults and rules.defaults[place] == value


def is_left_out(value: t.Any, path: Path, name: str, rules: Rules) -> bool:
    """Whether the server answers without the value though it was given: what it stores has no place for it."""
    if not rules.typed:
        return False
    if value == {}:
        return name in LEFT_OUT_MAPPINGS
    return value == [] or (value == "" and (*path[-1:], name) in LEFT_OUT_TEXTS)
