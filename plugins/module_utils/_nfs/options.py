# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Options in the words of exports(5). Pure."""

from __future__ import annotations

import re
import typing as t

from .values import RefusedError, absolute_path, is_number

SQUASH = {"root_squash": "root", "all_squash": "all", "no_root_squash": "none"}
_TYPED = {
    "rw": ("access", "rw"),
    "ro": ("access", "ro"),
    "sync": ("sync", True),
    "async": ("sync", False),
    "secure": ("secure", True),
    "insecure": ("secure", False),
    **{word: ("squash", value) for word, value in SQUASH.items()},
}
_FLAGS = frozenset(
    "no_subtree_check subtree_check wdelay no_wdelay hide nohide crossmnt no_acl pnfs no_pnfs security_label "  # noqa: SIM905
    "nordirplus mp mountpoint insecure_locks secure_locks no_auth_nlm auth_nlm no_all_squash".split()
)
# Such a path cannot be written in an option.
_PATH = r"/[^\s,()\"#\\]*"
_VALUES = {
    "sec": r"(sys|none|krb5|krb5i|krb5p)(:(sys|none|krb5|krb5i|krb5p))*",
    "fsid": r"[0-9]{1,10}|root|[0-9a-fA-F-]{32,36}",
    "mp": _PATH,
    "mountpoint": _PATH,
    "xprtsec": r"(none|tls|mtls)(:(none|tls|mtls))*",
}


def mountpoint(value: str) -> str:
    """A mount point that can stand in an option; refuses one that cannot."""
    point = absolute_path(value, "mountpoint")
    if re.fullmatch(_PATH, point) is None:
        raise RefusedError(
            f"mountpoint: '{point}' holds a blank, comma, quote, bracket, # or backslash, which an option of "
            "exports(5) cannot; mount the disk elsewhere"
        )
    return point


def parse_options(words: t.Iterable[str], field: str) -> tuple[dict[str, t.Any], list[str]]:
    """Options as exports(5) has them: those with a type, and the others; refuses unknown ones and contradictions."""
    typed: dict[str, t.Any] = {}
    others: list[str] = []
    for word in words:
        key, value = _option(word, field)
        if key is None:
            others.append(word)
        elif typed.setdefault(key, value) != value:
            raise RefusedError(f"{field}: '{word}' contradicts another option; keep one of them")
    return typed, others


def _option(word: str, field: str) -> tuple[str | None, t.Any]:
    if word in _TYPED:
        return _TYPED[word]
    name, equals, value = word.partition("=")
    if name in ("anonuid", "anongid") and is_number(value):
        return name, int(value)
    known = re.fullmatch(_VALUES[name], value) is not None if equals and name in _VALUES else word in _FLAGS
    if not known:
        raise RefusedError(f"{field}: '{word}' is not an option that exports(5) knows; correct or remove it")
    return None, None
