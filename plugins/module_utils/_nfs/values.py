# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""Small values that exports are made of: sizes, paths, clients, modes. Pure; each check names the field."""

from __future__ import annotations

import ipaddress
import re

_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4, "P": 1000**5}
_UNITS.update({"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4, "Pi": 1024**5})
_SIZE = re.compile(r"([0-9]+)([KMGTP]i?)?")
_HOST_LABEL = re.compile(r"[A-Za-z0-9*?]([A-Za-z0-9*?_-]{0,61}[A-Za-z0-9*?])?")
_IPV4_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class RefusedError(Exception):
    """The call cannot be carried out. The message names the field and the remedy; nothing was changed."""


def size(value: object, field: str) -> int:
    """A size such as 20Gi, 500M or plain bytes, in bytes; 0 for none."""
    text = "" if value is None else str(value).strip()
    if text in ("", "0"):
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise RefusedError(
            f"{field}: '{text}' is not a size; write bytes or a number with K, M, G, Ki, Mi, Gi, such as 20Gi"
        )
    return int(match.group(1)) * _UNITS[match.group(2) or ""]


def human(number: int) -> str:
    """A size for people, exact: the largest binary unit that divides it."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if number and number % _UNITS[unit] == 0:
            return f"{number // _UNITS[unit]}{unit}"
    return str(number)


def absolute_path(value: str, field: str) -> str:
    """A clean absolute path other than /."""
    if not value.startswith("/"):
        raise RefusedError(f"{field}: '{value}' is not absolute; write the whole path, beginning with /")
    parts = _parts(value[1:], field, value)
    if not parts:
        raise RefusedError(f"{field}: '{value}' is the file system's root; name a folder in it")
    return "/" + "/".join(parts)


def relative_path(value: str, field: str) -> str:
    """A clean path below another one."""
    if value.startswith("/"):
        raise RefusedError(f"{field}: '{value}' is absolute; write it relative, without the leading /")
    parts = _parts(value, field, value)
    if not parts:
        raise RefusedError(f"{field}: the path is empty; name a folder")
    return "/".join(parts)


def _parts(text: str, field: str, shown: str) -> list[str]:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise RefusedError(f"{field}: {shown!r} holds a control character; remove it")
    parts = [part for part in text.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise RefusedError(f"{field}: '{shown}' holds '.' or '..'; write the path that is meant")
    return parts


def mode(value: object, field: str) -> int:
    """Permission bits from an octal string such as '0711'."""
    text = str(value)
    if re.fullmatch(r"0?[0-7]{3,4}", text) is None:
        raise RefusedError(f"{field}: '{text}' is not a mode; write octal digits in quotes, such as '0750'")
    return int(text, 8)


def client(value: str, field: str, everyone: bool = False) -> str:
    """One client as a server understands it: an address, a network in CIDR form, a name, @netgroup or a pattern."""
    if not value or value != value.strip() or any(char.isspace() for char in value):
        raise RefusedError(f"{field}: '{value}' is empty or holds a space; write one client per item, without spaces")
    found = _address(value, field) if _looks_like_address(value) else _host(value, field)
    if _is_everyone(found) and not everyone:
        raise RefusedError(
            f"{field}: '{value}' is everyone; name networks, or set allow_everyone if that is what you want"
        )
    return found


def _is_everyone(found: str) -> bool:
    """A pattern that every name matches, or a network with every address of IPv4 or IPv6."""
    if not _looks_like_address(found):
        return not found.strip("@*?.")
    network = ipaddress.ip_network(found)
    return network.prefixlen == 0 or (isinstance(network, ipaddress.IPv6Network) and network.supernet_of(_IPV4_MAPPED))


def is_number(text: str) -> bool:
    """Whether it is made of the digits 0 to 9."""
    return text.isascii() and text.isdigit()


def is_address(name: str) -> bool:
    """Whether a client is an address or a network, and not a name."""
    return ":" in name or is_number(name.replace(".", "").replace("/", ""))


def _looks_like_address(value: str) -> bool:
    return ":" in value or "/" in value or re.fullmatch(r"[0-9.]+", value) is not None


def _address(value: str, field: str) -> str:
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        raise RefusedError(
            f"{field}: '{value}' is not an address or network; write 10.0.0.7, 10.0.0.0/24 or 2001:db8::/64"
        ) from None
    if "%" in value:
        raise RefusedError(f"{field}: '{value}' has a zone; write the address without it")
    if "/" not in value or interface.network.prefixlen == interface.max_prefixlen:
        return str(interface.ip)
    if interface.ip != interface.network.network_address:
        raise RefusedError(
            f"{field}: '{value}' has host bits; write {interface.network} or, for one host, {interface.ip}"
        )
    return str(interface.network)


def _host(value: str, field: str) -> str:
    name = value[1:] if value.startswith("@") else value
    if value == "*" or (len(name) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in name.split("."))):
        return value
    raise RefusedError(f"{field}: '{value}' is not a host name; write a name, an address, a network or @netgroup")
