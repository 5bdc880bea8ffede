# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What changes, as kubectl would show it."""

from __future__ import annotations

import typing as t

import yaml

from .mask import LAST_APPLIED, Mask, masked_pair
from .objects import Key, Object

Dumper: t.Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
SERVER_SET = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


def shown(obj: Object | None) -> Object | None:
    """The object without what only the server and its controllers write."""
    if obj is None:
        return None
    meta = {name: value for name, value in (obj.get("metadata") or {}).items() if name not in SERVER_SET}
    if LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {name: value for name, value in meta["annotations"].items() if name != LAST_APPLIED}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": meta}


def equal(one: Object, other: Object) -> bool:
    """Whether two objects of the server differ in nothing that people see."""
    return shown(one) == shown(other)


def entry(key: Key, before: Object | None, after: Object | None, mask: Mask) -> dict[str, str]:
    """One entry of a task's diff."""
    old, new = masked_pair(shown(before), shown(after))
    return {
        "before_header": str(key) if before else f"{key} (absent)",
        "after_header": str(key) if after else f"{key} (absent)",
        "before": mask.text(dump(hidden(old, mask))),
        "after": mask.text(dump(hidden(new, mask))),
    }


def hidden(value: t.Any, mask: Mask) -> t.Any:
    """The value without what is secret in its texts: YAML writes many of them in another form."""
    if isinstance(value, dict):
        return {name: hidden(item, mask) for name, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, mask) for item in value]
    return mask.text(value) if isinstance(value, str) else value


def dump(obj: Object | None) -> str:
    """The object as YAML."""
    if obj is None:
        return ""
    text: str = yaml.dump(obj, Dumper=Dumper, default_flow_style=False, allow_unicode=True, width=200)
    return text
