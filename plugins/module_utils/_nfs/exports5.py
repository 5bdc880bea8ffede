# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""exports(5): reading and writing. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .options import SQUASH
from .spec import NOBODY, Export, Rules
from .values import RefusedError

_TOKEN = re.compile(r'(?:"[^"]*"|[^\s"])+')
_CLIENT = re.compile(r"(?P<name>[^()]*)(?:\((?P<options>[^()]*)\))?")
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_ID = re.compile(r"-?[0-9]+")
_BYTES = ("utf-8", "surrogateescape")
DEFAULTS = ("sync", "async", "no_subtree_check", "no_all_squash", "wdelay", "hide", "sec=sys", "root_squash")


class Entry(t.NamedTuple):
    """One client of one path."""

    path: str
    client: str
    rules: Rules


def render(exports: t.Iterable[Export]) -> str:
    """The lines of a drop-in."""
    return "".join(f"{_quote(export.path)} {_clients(export)}\n" for export in exports)


def _clients(export: Export) -> str:
    options = ",".join(options_of(export.rules))
    return " ".join(f"{client}({options})" for client in export.clients)


def options_of(rules: Rules) -> list[str]:
    """Every option in words: what is not written depends on the version of nfs-utils."""
    squash = {value: word for word, value in SQUASH.items()}[rules.squash]
    words = [rules.access, "sync" if rules.sync else "async", "secure" if rules.secure else "insecure", squash]
    if rules.squash != "none":
        words += [f"anonuid={rules.anonuid}", f"anongid={rules.anongid}"]
    others = list(rules.others)
    if not any(word.endswith("subtree_check") for word in others):
        others.append("no_subtree_check")
    return [*words, *sorted(others)]


def _quote(path: str) -> str:
    return re.sub(r"[\s\"#\\]|[^\x00-\x7f]", lambda match: _octal(match.group()), path)


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in char.encode())


def parse(text: str, source: str) -> list[Entry]:
    """The entries of a file of exports: comments, continued lines, quotes, octal escapes, defaults."""
    entries: list[Entry] = []
    for number, line in _lines(text):
        entries += _line(line, f"{source} line {number}")
    return entries


def _lines(text: str) -> t.Iterator[tuple[int, str]]:
    """Logical lines without comments, each with the number of its first physical line."""
    held, first = "", 0
    for number, physical in enumerate(text.splitlines(), 1):
        if not held:
            first = number
        if physical.endswith("\\") and not _commented(held + physical):
            held += physical[:-1] + " "
            continue
        line = _strip_comment(held + physical).strip()
        held = ""
        if line:
            yield first, line
    if held.strip():
        yield first, _strip_comment(held).strip()


def _commented(line: str) -> bool:
    return _strip_comment(line) != line


def _strip_comment(line: str) -> str:
    quoted = False
    for index, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == "#" and not quoted:
            return line[:index]
    return line


def _line(line: str, at: str) -> t.Iterator[Entry]:
    if line.count('"') % 2:
        raise RefusedError(f"{at}: a quote is not closed; correct the file")
    tokens = [_unquote(token) for token in _TOKEN.findall(line)]
    path = tokens[0].rstrip("/") or "/"
    defaults: list[str] = []
    clients = 0
    for token in tokens[1:]:
        if token.startswith("-") and not clients:
            defaults = token[1:].split(",")
            continue
        match = _CLIENT.fullmatch(token)
        if match is None:
            raise RefusedError(f"{at}: '{token}' is not a client with its options; correct the file")
        clients += 1
        yield Entry(path, normal_client(match["name"]), rules_of([*defaults, *(match["options"] or "").split(",")]))
    if not clients:
        yield Entry(path, "*", rules_of(defaults))


def _unquote(token: str) -> str:
    return unescape(token.replace('"', ""))


def unescape(text: str) -> str:
    """A path from a file or table of exports, where some bytes are octal."""
    raw = _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text.encode(*_BYTES).decode("latin-1"))
    return raw.encode("latin-1").decode(*_BYTES)


def normal_client(name: str) -> str:
    """A client as this collection writes it; nothing means everyone."""
    bare = name.strip("[]") if name.startswith("[") else name
    if bare in ("", "*", "<world>"):
        return "*"
    if re.fullmatch(r"[0-9a-fA-F:.]+(/[0-9.]+)?", bare):
        return _network(bare)
    return bare


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return text
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def rules_of(words: t.Iterable[str]) -> Rules:
    """The rules that a list of options means. Lenient: other files may hold what this collection does not write."""
    found = [word for word in words if word]
    numbers = {name: value for name, _, value in (word.partition("=") for word in found) if _ID.fullmatch(value)}
    squash = "root"
    if "all_squash" in found:
        squash = "all"
    elif "no_root_squash" in found:
        squash = "none"
    known = {"rw", "ro", "secure", "insecure", "all_squash", "no_root_squash", *DEFAULTS}
    return Rules(
        access="rw" if "rw" in found else "ro",
        squash=squash,
        anonuid=int(numbers.get("anonuid", NOBODY)) % 2**32,
        anongid=int(numbers.get("anongid", NOBODY)) % 2**32,
        sync="async" not in found,
        secure="insecure" not in found,
        others=tuple(sorted(w for w in found if w not in known and not w.startswith(("anonuid=", "anongid=")))),
    )
