# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Keeping the values of Secrets out of everything that people read."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

from .objects import Object

HIDDEN = "***"
SHORTEST = 4  # shorter values would blacken half of a text
WHOLE_WORD = 12  # shorter values are hidden as words only, longer ones inside of words too
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Mask:
    """Knows the values of the Secrets that were seen, and hides them in texts."""

    def __init__(self, public: t.Iterable[str] = ()) -> None:
        self.public = set(public)  # names that everybody sees anyway, though a Secret may repeat them
        self.values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, obj: t.Any) -> None:
        """Remember the values of an object, if it is a Secret."""
        if not isinstance(obj, dict) or obj.get("kind") != "Secret":
            return
        found = {text for value in values(obj, "data") for text in forms(value)}
        found |= {value for value in values(obj, "stringData") if isinstance(value, str)}
        if not found <= self.values:
            self.values |= found
            self._pattern = None

    def text(self, text: str) -> str:
        """The text with all known values hidden."""
        if self._pattern is None:
            known = [value for value in self.values - self.public if len(value) >= SHORTEST]
            self._pattern = re.compile("|".join(map(pattern, sorted(known, key=len, reverse=True))) or r"(?!)")
        return self._pattern.sub(HIDDEN, text)


def pattern(value: str) -> str:
    """The pattern that finds a value."""
    found = re.escape(value)
    return found if len(value) >= WHOLE_WORD else rf"(?<![A-Za-z0-9_-]){found}(?![A-Za-z0-9_-])"


def values(secret: Object, field: str) -> t.Iterable[t.Any]:
    """What a Secret's field holds; nothing where it is no mapping, as in a document that will be refused."""
    found = secret.get(field)
    return found.values() if isinstance(found, dict) else ()


def forms(value: t.Any) -> t.Iterator[str]:
    """A Secret's value as it is stored, as it is meant, and its lines where it has several."""
    if not isinstance(value, str):
        return
    yield value
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    yield text
    yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= SHORTEST * 2)


def masked_pair(before: Object | None, after: Object | None) -> tuple[Object | None, Object | None]:
    """Both sides of a diff without a Secret's values; changed values stay visible as changed."""
    kinds = {obj.get("kind") for obj in (before, after) if obj}
    if kinds != {"Secret"}:
        return before, after
    old, new = (obj.get("data") or {} if obj else {} for obj in (before, after))
    shown: list[Object | None] = []
    for obj, mark in ((before, "before"), (after, "after")):
        if obj is None:
            shown.append(None)
            continue
        data = obj.get("data") or {}
        hidden = {name: HIDDEN if old.get(name) == new.get(name) else f"{HIDDEN} ({mark})" for name in data}
        shown.append({**obj, "data": hidden} if "data" in obj else dict(obj))
    return shown[0], shown[1]
