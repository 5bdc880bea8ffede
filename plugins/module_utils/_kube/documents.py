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
TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
# The parser quotes the signs that it misses, and what it found: a tag, an anchor, an alias or a part of a value.
QUOTED = re.compile(r"""('.{1,2}'|"'")|['"].*""", re.DOTALL)
NAME = re.compile(r"^[a-z0-9A-Z]([-a-z0-9A-Z.:_]*[a-z0-9A-Z])?$")


class Document(t.NamedTuple):
    """An object and where it comes from."""

    object: dict[str, t.Any]
    source: str


class StrictLoader(Base):  # type: ignore[misc]
    """A safe loader that does not swallow a key that is given twice."""

    def flatten_mapping(self, node: t.Any) -> None:
        """Put merged keys (<<) into the mapping, and remember its own: those may override merged ones."""
        if not hasattr(node, "own"):
            node.own = list(node.value)
        super().flatten_mapping(node)

    def construct_mapping(self, node: t.Any, deep: bool = False) -> dict[t.Any, t.Any]:
        """The mapping, or an error at the second of two equal keys."""
        mapping: dict[t.Any, t.Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.own) or len(node.value) != len(node.own):
            seen: set[t.Any] = set()
            for key in (key for key, _value in node.own if key.tag != MERGE and isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return mapping


def checked(construct: t.Callable[[t.Any, t.Any], t.Any]) -> t.Callable[[t.Any, t.Any], t.Any]:
    """A constructor whose errors have a place, and not the value: it may be secret."""

    def constructed(loader: t.Any, node: t.Any) -> t.Any:
        try:
            return construct(loader, node)
        except (ValueError, KeyError, IndexError) as error:
            kind = str(node.tag).rpartition(":")[2]
            raise yaml.MarkedYAMLError(
                problem=f"this is no {kind}: put a text in quotes", problem_mark=node.start_mark
            ) from error

    return constructed


for name in ("int", "float", "bool"):
    StrictLoader.add_constructor(TAG + name, checked(getattr(yaml.SafeLoader, f"construct_yaml_{name}")))
for name in ("binary", "set", "omap", "pairs"):  # not to be said in JSON
    StrictLoader.yaml_constructors.pop(TAG + name)
# Dates are text for Kubernetes.
StrictLoader.add_constructor(f"{TAG}timestamp", yaml.SafeLoader.construct_yaml_str)
StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in pairs if tag != f"{TAG}timestamp"]
    for first, pairs in Base.yaml_implicit_resolvers.items()
}


def parse(text: str, source: str) -> list[Document]:
    """The objects of a YAML text; empty documents are ignored, lists are opened."""
    return all_opened(loaded(text, source), source)


def loaded(text: str, source: str) -> list[t.Any]:
    """The documents of a YAML text, whatever they are."""
    try:
        return list(yaml.load_all(text, Loader=StrictLoader))
    except yaml.YAMLError as error:
        raise KubeError(f"{source}{place(error)} is not valid YAML: {problem(error)}") from error


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
    """What the parser says, without what stands in the text, which may be secret."""
    text = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed")
    if isinstance(error, yaml.constructor.ConstructorError) and "for the tag" in text:
        return "a tag that means nothing here; put a text that begins with ! in quotes"
    if type(error) is yaml.MarkedYAMLError:  # this file's own words
        return text
    return QUOTED.sub(lambda found: found[1] or "something else", text)


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
