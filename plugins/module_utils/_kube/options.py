# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The options of kube_set, checked."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .errors import KubeError
from .objects import Key, SetId
from .ownership import Path

DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
LABEL_LENGTH = 63


class NotOwned(t.NamedTuple):
    """A field that is given at creation and left alone afterwards."""

    kind: str
    name: str
    namespace: str
    path: Path

    def covers(self, key: Key) -> bool:
        """Whether it is about this object."""
        return (self.kind, self.name) == (key.kind, key.name) and key.namespace in ("", self.namespace)


@dataclasses.dataclass(frozen=True)
class Options:
    """What the engine does, beside the objects themselves."""

    set_id: SetId
    state: str = "present"
    prune: bool = True
    remove_claims: bool = False
    remove_namespaces: bool = False
    force_conflicts: bool = False
    controllers: tuple[str, ...] = ()
    not_owned: tuple[NotOwned, ...] = ()
    wait: bool = True
    wait_timeout: float = 300
    wait_grace: float = 30
    check_mode: bool = False
    diff: bool = False


def set_id(namespace: str, name: str) -> SetId:
    """The identity of a set, or a message about its form."""
    for option, value in (("name", name), ("namespace", namespace)):
        if not DNS_LABEL.match(value):
            raise KubeError(f"{option} {value!r} may have only small letters, digits and dashes in between")
    if len(namespace) + len(name) + 1 > LABEL_LENGTH:
        raise KubeError(f"name and namespace together may have {LABEL_LENGTH - 1} characters: shorten {name!r}")
    return SetId(namespace, name)


def not_owned(items: t.Sequence[t.Mapping[str, t.Any]] | None, namespace: str) -> tuple[NotOwned, ...]:
    """The fields that the set leaves to others."""
    found = []
    for item in items or []:
        path = tuple(str(item["field"]).strip(".").split("."))
        if path[0] in ("", "apiVersion", "kind", "metadata", "status") or "" in path or "[" in item["field"]:
            raise KubeError(f"not_owned: {item['field']!r} is not a path such as spec.serveConfigV2")
        found.append(NotOwned(item["kind"], item["name"], item.get("namespace") or namespace, path))
    return tuple(found)


def refuse_unused(items: t.Sequence[NotOwned], keys: t.Collection[Key]) -> None:
    """Refuse an entry of not_owned that is about no object: its field would be overwritten without a word."""
    texts = [
        f"{item.kind} {item.namespace}/{item.name} ({'.'.join(map(str, item.path))})"
        for item in items
        if not any(map(item.covers, keys))
    ]
    if texts:
        raise KubeError(f"not_owned: the set has no {', '.join(texts)}: correct kind, name or namespace")
