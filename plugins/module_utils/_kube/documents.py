# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""YAML texts to objects, with messages that name the file and the line."""

from __future__ import annotations

import re
import typing as t

import yaml

from .errors import Faults, KubeError

Base: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NAME = re.compile(r"^[a-z0-9A-Z]([-a-z0-9A-Z.:_]*[a-z0-9A-Z])?$")


class Document(t.NamedTuple):
    """An object and where it comes from."""

    object: dict[str, t.Any]
    source: str


class StrictLoader(Base):  # type: ignore[misc]
    """A safe loader that does not swallow a key that is given twice."""

    def construct_mapping(self, node: t.Any, deep: bool = False) -> dict[t.Any, t.Any]:
        """The mapping, or an error at the second of two equal keys."""
        mapping: dict[t.Any, t.Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value) and not any(key.value == "<<" for key, _value in node.value):
            seen: set[t.Any] = set()
            for key, _value in node.value:
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return mapping


# Dates are text for Kubernetes.
StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in Base.yaml_implicit_resolvers.items()
}


def parse(text: str, source: str) -> list[Document]:
    """The objects of a YAML text; empty documents are ignored, lists are opened."""
    try:
        parsed = list(yaml.load_all(text, Loader=StrictLoader))
    except yaml.YAMLError as error:
        raise KubeError(f"{source}{place(error)} is not valid YAML: {problem(error)}") from error
    return all_opened(parsed, source)


def all_opened(values: t.Iterable[t.Any], source: str) -> list[Document]:
    """The objects of the documents of one source, or one message with all that is wrong in it."""
    faults, found = Faults(), []
    for number, value in enumerate(values, 1):
        with faults.noted():
            found += opened(value, source, number)
    faults.refuse()
    return found


def place(error: yaml.YAMLError) -> str:
    """Where the parser stopped."""
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def problem(error: yaml.YAMLError) -> str:
    """What the parser says, without the text around it, which may be secret."""
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed")


def opened(value: t.Any, source: str, number: int = 1) -> list[Document]:
    """One document as objects."""
    if value is None or value == {}:
        return []
    where = f"{source}, document {number}"
    if not isinstance(value, dict):
        raise KubeError(f"{where} is not an object but {type(value).__name__}: it needs apiVersion, kind and metadata")
    if isinstance(value.get("items"), list) and str(value.get("kind", "")).endswith("List"):
        return [found for item in value["items"] for found in opened(item, source, number)]
    check(value, where)
    return [Document(value, where)]


def check(obj: t.Mapping[str, t.Any], where: str) -> None:
    """Refuse what cannot be an object."""
    for field in ("apiVersion", "kind"):
        if not isinstance(obj.get(field), str) or not obj[field]:
            raise KubeError(f"{where} has no {field}")
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        raise KubeError(f"{where}: {obj['kind']} has no metadata")
    if not isinstance(meta.get("name"), str) or not NAME.match(meta["name"]):
        shown = "no name" if not meta.get("name") else f"a name that is none: {meta['name']!r}"
        raise KubeError(
            f"{where}: {obj['kind']} has {shown}; give metadata.name as text (generateName is not supported)"
        )
    for field in ("labels", "annotations"):
        for name, value in (meta.get(field) or {}).items():
            if not isinstance(value, (str, type(None))):
                raise KubeError(
                    f"{where}: {obj['kind']} {meta['name']}: metadata.{field}.{name} is not text: put it in quotes"
                )


def duplicates(documents: t.Sequence[Document], key: t.Callable[[dict[str, t.Any]], t.Any]) -> list[str]:
    """The objects that a set names twice, in words."""
    seen: dict[t.Any, str] = {}
    found = []
    for document in documents:
        this = key(document.object)
        if this in seen:
            found.append(f"{this} stands twice: in {seen[this]} and in {document.source}")
        seen.setdefault(this, document.source)
    return found
