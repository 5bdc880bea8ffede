# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""NFS-Ganesha's configuration: writing exports and reading them back. Pure."""

from __future__ import annotations

import re
import typing as t

from .exports5 import Entry, normal_client
from .spec import NOBODY, Export, Rules
from .values import RefusedError, is_number

_TOKEN = re.compile(
    r'\s+|#[^\n]*|"(?P<quoted>[^"]*)"|\'(?P<single>[^\']*)\'|(?P<mark>[{}=;,])|(?P<word>[^\s{}=;,#"\']+)'
)
_SQUASH = {"root": "Root_Squash", "all": "All_Squash", "none": "No_Root_Squash"}
_MEANING = {
    **dict.fromkeys(("none", "no_root_squash", "noidsquash"), "none"),
    **dict.fromkeys(("all", "all_squash", "allsquash", "all_anonymous", "allanonymous"), "all"),
}


class Block(t.NamedTuple):
    """A block of the configuration: its values, by lower-case name, and the blocks in it."""

    name: str
    values: dict[str, list[str]]
    blocks: list[Block]


def check(export: Export) -> None:
    """Refuse what NFS-Ganesha cannot do."""
    if not export.rules.sync:
        raise RefusedError(f"{export.field}.sync: NFS-Ganesha always writes in sync; remove async")
    for word in export.rules.others:
        if not word.startswith("sec=") and word != "no_subtree_check":
            raise RefusedError(f"{export.field}.options: '{word}' has no meaning for NFS-Ganesha; remove it")
    if re.search(r"[\"'\\]", export.path):
        raise RefusedError(
            f"{export.field}.path: NFS-Ganesha takes no quotes and no backslash in a path; rename the folder"
        )


def render(exports: t.Iterable[Export], ids: t.Mapping[str, int]) -> str:
    """One EXPORT block for each export. All permissions are the client's: nobody else gets any."""
    return "".join(_block(export, ids[export.path]) for export in exports)


def _block(export: Export, number: int) -> str:
    rules = export.rules
    sec = next((word[4:].replace(":", ", ") for word in rules.others if word.startswith("sec=")), "sys")
    return f"""
EXPORT {{
    Export_Id = {number};
    Path = "{export.path}";
    Pseudo = "{export.path}";
    Access_Type = None;
    CLIENT {{
        Clients = {", ".join(export.clients)};
        Access_Type = {rules.access.upper()};
        Squash = {_SQUASH[rules.squash]};
        Anonymous_Uid = {rules.anonuid};
        Anonymous_Gid = {rules.anongid};
        SecType = {sec};
        PrivilegedPort = {"true" if rules.secure else "false"};
    }}
    FSAL {{ Name = VFS; }}
}}
"""


def parse(text: str, source: str) -> list[Block]:
    """The blocks of a configuration file; its % directives are left out."""
    lines = "\n".join("" if line.lstrip().startswith("%") else line for line in text.splitlines())
    tokens = list(_tokens(lines, source))
    blocks: list[Block] = []
    while tokens:
        name = tokens.pop(0)
        _expect(tokens, "{", source)
        blocks.append(_body(name, tokens, source))
    return blocks


def _tokens(text: str, source: str) -> t.Iterator[str]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise RefusedError(
                f"{source} line {text.count(chr(10), 0, position) + 1}: cannot be read; correct the file"
            )
        position = match.end()
        found = next((group for group in match.groups() if group is not None), None)
        if found is not None:
            yield found


def _expect(tokens: list[str], mark: str, source: str) -> None:
    if not tokens or tokens.pop(0) != mark:
        raise RefusedError(f"{source}: '{mark}' is missing; correct the file")


def _body(name: str, tokens: list[str], source: str) -> Block:
    block = Block(name.lower(), {}, [])
    while tokens and tokens[0] != "}":
        key = tokens.pop(0)
        mark = tokens.pop(0) if tokens else ""
        if key == ";":
            tokens.insert(0, mark)
        elif mark == "{":
            block.blocks.append(_body(key, tokens, source))
        elif mark == "=":
            block.values.setdefault(key.lower(), []).extend(_value(tokens, source))
        else:
            raise RefusedError(f"{source}: '=' or '{{' is missing after '{key}'; correct the file")
    _expect(tokens, "}", source)
    return block


def _value(tokens: list[str], source: str) -> list[str]:
    values: list[str] = []
    while tokens and tokens[0] not in (";", "}", "{"):
        word = tokens.pop(0)
        if word != ",":
            values.append(word)
    _expect(tokens, ";", source)
    return values


def includes(text: str) -> list[tuple[str, str]]:
    """The %include and %dir directives: kind and path."""
    pattern = re.compile(r"^\s*%(include|dir)\s+[\"']?([^\"'\s]+)", re.MULTILINE)
    return [(match.group(1), match.group(2).rstrip("/")) for match in pattern.finditer(text)]


def entries(blocks: t.Iterable[Block]) -> list[Entry]:
    """Every client of every EXPORT block."""
    found: list[Entry] = []
    for block in exports(blocks):
        path = _first(block, "path").rstrip("/") or "/"
        inner = [each for each in block.blocks if each.name == "client"]
        if not inner or _first(block, "access_type").lower() not in ("", "none"):
            found.append(Entry(path, "*", _rules(block, block)))
        for each in inner:
            found += [Entry(path, normal_client(name), _rules(each, block)) for name in each.values.get("clients", [])]
    return found


def export_ids(blocks: t.Iterable[Block]) -> dict[str, int]:
    """The id of each exported path."""
    pairs = [(_first(block, "path").rstrip("/"), _first(block, "export_id")) for block in exports(blocks)]
    return {path: int(number) for path, number in pairs if is_number(number)}


def exports(blocks: t.Iterable[Block]) -> list[Block]:
    """The EXPORT blocks."""
    return [block for block in blocks if block.name == "export"]


def _first(block: Block, key: str) -> str:
    return (block.values.get(key) or [""])[0]


def _rules(block: Block, outer: Block) -> Rules:
    def value(*keys: str) -> str:
        return next((found for place in (block, outer) for key in keys if (found := _first(place, key))), "")

    return Rules(
        access="rw" if value("access_type").lower() == "rw" else "ro",
        squash=_MEANING.get(value("squash").lower(), "root"),
        anonuid=_id(value("anonymous_uid", "anon_uid")),
        anongid=_id(value("anonymous_gid", "anon_gid")),
        secure=value("privilegedport").lower() in ("true", "yes", "on", "1"),
    )


def _id(text: str) -> int:
    return int(text) % 2**32 if is_number(text.lstrip("-")) and text.count("-") < 2 else NOBODY
