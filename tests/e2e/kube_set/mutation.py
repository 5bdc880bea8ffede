"""Random changes of an object."""

from __future__ import annotations

import copy
import random
import typing as t

Object = dict[str, t.Any]

OTHER_FORMS = {"1000m": "1", "1": "1000m", "1024Mi": "1Gi", "1Gi": "1024Mi", "4000m": 4, "10": "10000m"}
FIXED = ("apiVersion", "kind", "name", "selector", "matchLabels", "scaleTargetRef", "policyName")
# What is empty, or the server's default, and the field beside which it may stand.
BESIDE: tuple[tuple[str, str, t.Any], ...] = (
    ("containers", "automountServiceAccountToken", False),
    ("containers", "enableServiceLinks", False),
    ("containers", "nodeSelector", {}),
    ("containers", "tolerations", []),
    ("containers", "priorityClassName", ""),
    ("runAsNonRoot", "privileged", False),
    ("runAsNonRoot", "readOnlyRootFilesystem", False),
    ("resource", "divisor", "0"),
    ("fieldPath", "apiVersion", "v1"),
    ("operator", "value", ""),
    ("key", "optional", False),
    ("path", "mode", 0),
    ("path", "expirationSeconds", 3600),
    ("port", "protocol", "TCP"),
    ("podSelector", "namespaceSelector", {}),
    ("verbs", "resourceNames", []),
    ("matchLabels", "matchExpressions", []),
    ("apiVersions", "scope", "*"),
    ("groupName", "numOfHosts", 1),
    ("groupName", "suspend", False),
)
Place = tuple[t.Any, t.Any]


def places(value: t.Any, below: str = "") -> list[Place]:
    """All places of an object that may change, as container and key."""
    found: list[Place] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        if key in FIXED or (below == "metadata" and key == "namespace"):
            continue
        found.append((value, key))
        found += places(item, str(key))
    return found


def mutate(chance: random.Random, obj: Object) -> Object:
    """The object with one random change."""
    changed = copy.deepcopy(obj)
    if chance.random() < 0.2 and add_empty(chance, changed):
        return changed
    container, key = chance.choice(places(changed))
    value = container[key]
    if isinstance(value, str) and value in OTHER_FORMS and chance.random() < 0.5:
        container[key] = OTHER_FORMS[value]
    elif chance.random() < 0.25:
        del container[key]
    elif not isinstance(key, int) and value is None:
        container[key] = "again"
    elif isinstance(value, dict):
        value[f"key{chance.randrange(3)}"] = str(chance.randrange(9))
    elif isinstance(value, list):
        mutate_list(chance, value)
    elif isinstance(value, bool):
        container[key] = not value
    elif isinstance(value, int):
        container[key] = max(0, value + chance.choice((-1, 1)))
    elif isinstance(value, str):
        container[key] = chance.choice((f"{value}{chance.randrange(9)}", value[:-1], None))
    return changed


def add_empty(chance: random.Random, obj: Object) -> bool:
    """Give some field its empty or default value, where there is one that the object does not have."""
    mappings = [container for container, _key in places(obj) if isinstance(container, dict)]
    found = [
        (container, field, value)
        for container in mappings
        for beside, field, value in BESIDE
        if beside in container and field not in container
    ]
    if found:
        container, field, value = chance.choice(found)
        container[field] = copy.deepcopy(value)
    return bool(found)


def restore(chance: random.Random, obj: Object, first: Object) -> Object:
    """The object with a removed field of its first form again."""
    changed = copy.deepcopy(obj)
    lost = list(missing(changed, first))
    if lost:
        container, key, value = chance.choice(lost)
        container[key] = copy.deepcopy(value)
    return changed


def missing(obj: t.Any, first: t.Any) -> t.Iterator[tuple[t.Any, t.Any, t.Any]]:
    """The fields that the first form has and the object has not, each with its container."""
    if isinstance(obj, dict) and isinstance(first, dict):
        for key, value in first.items():
            if obj.get(key) is None:
                yield obj, key, value
            else:
                yield from missing(obj[key], value)
    elif isinstance(obj, list) and isinstance(first, list):
        for pair in zip(obj, first):
            yield from missing(*pair)


def mutate_list(chance: random.Random, value: list[t.Any]) -> None:
    """Reorder a list, or double an item with another name."""
    if not value or chance.random() < 0.4:
        chance.shuffle(value)
        return
    item = copy.deepcopy(chance.choice(value))
    if isinstance(item, dict) and "name" in item:
        item["name"] = f"{item['name']}{chance.randrange(9)}"
    if isinstance(item, dict) and "port" in item:
        item["port"] = chance.randrange(1, 60000)
    value.insert(chance.randrange(len(value) + 1), item)
