# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Who else owns a field that the set wants with another value, and what to do about it."""

from __future__ import annotations

import json
import re
import typing as t

from .atomic import exact
from .compare import Fields, pick
from .objects import Object

# One step into an object: a field's name, or the keys of a list item.
Step = t.Union[str, "tuple[tuple[str, t.Any], ...]"]
Path = tuple[Step, ...]

CONTROLLER = re.compile(r"(controller|autoscaler|operator|scheduler|kubelet|recommender|updater)", re.IGNORECASE)
BY_HAND = re.compile(r"^kubectl")
SCALER = "kube-controller-manager"


class Contest(t.NamedTuple):
    """A field that the set wants and somebody else owns with another value."""

    path: Path
    manager: str
    operation: str
    subresource: str
    wanted: t.Any
    live: t.Any

    @property
    def field(self) -> str:
        """The field as people write it."""
        return shown(self.path)


def shown(path: Path) -> str:
    """A path as text: spec.template.spec.containers[name=web].image."""
    parts = [step if isinstance(step, str) else "[" + ",".join(f"{k}={v}" for k, v in step) + "]" for step in path]
    return ".".join(parts).replace(".[", "[")


def contests(wanted: Object, live: Object, manager: str) -> list[Contest]:
    """The fields of the wanted object that others own with another value."""
    found = []
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            continue
        for path, mine, theirs in differing(wanted, live, entry.get("fieldsV1") or {}, ()):
            who = (entry.get("manager") or "", entry.get("operation") or "", entry.get("subresource") or "")
            found.append(Contest(path, *who, mine, theirs))
    return found


def differing(wanted: t.Any, live: t.Any, fields: Fields, path: Path) -> t.Iterator[tuple[Path, t.Any, t.Any]]:
    """The wanted fields among those given whose live value is another, or missing."""
    below = {name: value for name, value in fields.items() if name[:2] in ("f:", "k:")}
    if not below:
        # The server compares what is applied to the letter, before it fills in defaults.
        if path and not exact(wanted, live):
            yield path, wanted, live
        return
    for name, inner in below.items():
        step, mine, theirs = child(wanted, live, name)
        if mine is not None:
            yield from differing(mine, theirs, inner, (*path, step))


def child(wanted: t.Any, live: t.Any, name: str) -> tuple[Step, t.Any, t.Any]:
    """The step of a field's name in managedFields, and what lies there in both objects."""
    if name.startswith("f:"):
        field = name[2:]
        mine = wanted.get(field) if isinstance(wanted, dict) else None
        return field, mine, live.get(field) if isinstance(live, dict) else None
    selector = json.loads(name[2:])
    mine = pick(wanted, selector, partly=True) if isinstance(wanted, list) else None
    return tuple(selector.items()), mine, pick(live, selector) if isinstance(live, list) else None


def is_controllers(contest: Contest, extra: t.Collection[str] = ()) -> bool:
    """Whether an autoscaler or another controller owns the field. What applies server-side is a tool by any name."""
    if BY_HAND.match(contest.manager):
        return False
    by_name = contest.operation != "Apply" and CONTROLLER.search(contest.manager)
    return bool(contest.subresource or contest.manager in extra or by_name)


def is_rival(contest: Contest) -> bool:
    """Whether another tool applies the field on purpose."""
    return contest.operation == "Apply" and not BY_HAND.match(contest.manager)


def is_scaled(contest: Contest) -> bool:
    """Whether the field was set through the scale subresource by Kubernetes itself."""
    return contest.manager == SCALER and contest.subresource == "scale"


def without(obj: Object, path: Path) -> Object:
    """A copy of the object without the field."""
    return t.cast(Object, _without(obj, path))


def _without(value: t.Any, path: Path) -> t.Any:
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        if not isinstance(value, dict) or step not in value:
            return value
        if not rest:
            return {name: item for name, item in value.items() if name != step}
        return {**value, step: _without(value[step], rest)}
    chosen = pick(value, dict(step), partly=True) if isinstance(value, list) else None
    if chosen is None:
        return value
    if not rest:
        return [item for item in value if item is not chosen]
    return [_without(item, rest) if item is chosen else item for item in value]


def value_at(obj: t.Any, path: Path) -> t.Any:
    """The value of a field, or None."""
    for step in path:
        if isinstance(step, str):
            obj = obj.get(step) if isinstance(obj, dict) else None
        else:
            obj = pick(obj, dict(step)) if isinstance(obj, list) else None
    return obj


def owners(obj: Object, path: Path) -> list[tuple[str, str]]:
    """The managers that own a field or something below it, as (manager, operation)."""
    found = []
    for entry in (obj.get("metadata") or {}).get("managedFields") or []:
        fields: t.Any = entry.get("fieldsV1") or {}
        for step in path:
            fields = fields.get(f"f:{step}") if isinstance(fields, dict) else None
        if fields is not None:
            found.append((entry.get("manager") or "", entry.get("operation") or ""))
    return found


def only(obj: Object, path: Path, value: t.Any) -> Object:
    """This very version of the object with nothing but one field."""
    named = ("name", "namespace", "resourceVersion")
    meta = {name: obj["metadata"][name] for name in named if name in obj["metadata"]}
    return put({"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta}, path, value)


def put(obj: Object, path: Path, value: t.Any) -> Object:
    """A copy of the object with a value at a path of names."""
    step, rest = str(path[0]), path[1:]
    return {**obj, step: put(obj.get(step) or {}, rest, value) if rest else value}


def carried(obj: Object, source: Object, paths: t.Iterable[Path]) -> Object:
    """A copy of the object with the values that another one has at some paths."""
    for path in paths:
        value = value_at(source, path)
        obj = obj if value is None else put(obj, path, value)
    return obj
