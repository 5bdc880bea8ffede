# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every password of the platform, from one master key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.module_utils import _digest as digest

SHORTEST = 12
LONGEST = 43
# A given secret that is longer is something else, such as a file, put there by mistake.
LONGEST_GIVEN = 128
REMEMBERED = 10


def derived_secret(
    master_key: str | None,
    cluster: str,
    component: str,
    purpose: str,
    generation: int = 1,
    given: str | None = "",
    length: int = 32,
    variable: str = "",
) -> str:
    """The secret of one purpose: the given one, or one that the master key and the names make."""
    if given:
        return _checked(given, variable or f"the given secret of {component} for {purpose}")
    _check(master_key, "platform_master_key")
    return _derive(master_key or "", (cluster, component, purpose), generation, length)


def previous_secrets(
    previous_master_key: str | None,
    master_key: str | None,
    cluster: str,
    component: str,
    purpose: str,
    generation: int = 1,
    given: str | None = "",
    previous_given: str | None = "",
    length: int = 32,
) -> list[str]:
    """The secrets that may still be in use: of near generations, and of the previous master key; likely ones first."""
    if previous_master_key:
        _check(previous_master_key, "platform_previous_master_key")
    current = derived_secret(master_key, cluster, component, purpose, generation, given, length)
    names = (cluster, component, purpose)
    keys = [key for key in (master_key, previous_master_key) if key and len(key) >= digest.KEY_LENGTH]
    found = [previous_given] if previous_given else []
    found += [_derive(key, names, number, length) for number in _near(int(generation)) for key in keys]
    return [secret for secret in dict.fromkeys(found) if secret != current]


def keyed_digest(values: t.Sequence[str], master_key: str | None) -> str:
    """What tells that one of some secrets is another one, and nothing else; for an annotation of a pod."""
    _check(master_key, "platform_master_key")
    return digest.keyed_digest(master_key or "", values)


def _near(generation: int) -> list[int]:
    """Generations that may be in use, likely ones first: this one with another key, earlier ones, and the one after."""
    return [generation, *range(generation - 1, max(0, generation - REMEMBERED), -1), generation + 1]


def _check(key: str | None, variable: str) -> None:
    if not isinstance(key, str) or not key:
        raise AnsibleFilterError(
            f"{variable}: it is empty; give at least {digest.KEY_LENGTH} random characters from a vault, a file or the"
            " environment, for example the output of 'openssl rand -base64 48'"
        )
    if len(key.strip()) < digest.KEY_LENGTH:
        raise AnsibleFilterError(
            f"{variable}: it has {len(key.strip())} characters; at least {digest.KEY_LENGTH} random ones are needed"
        )


def _checked(given: str, variable: str) -> str:
    if not isinstance(given, str) or len(given) < SHORTEST:
        raise AnsibleFilterError(
            f"{variable}: it is shorter than {SHORTEST} characters; give a longer one, or leave it empty to derive it"
        )
    if len(given) > LONGEST_GIVEN:
        raise AnsibleFilterError(
            f"{variable}: it has {len(given)} characters; give at most {LONGEST_GIVEN}, or leave it empty to derive it"
        )
    if not given.isprintable() or not given.isascii() or any(character.isspace() for character in given):
        raise AnsibleFilterError(f"{variable}: use only printable ASCII characters and no white space")
    return given


def _derive(key: str, names: tuple[str, str, str], generation: int, length: int) -> str:
    """HMAC-SHA256 over the names, written with letters and digits only so that it is safe in URLs and shells."""
    if not str(generation).isdecimal() or int(generation) < 1:
        raise AnsibleFilterError(f"generation of {names[1]}, {names[2]}: '{generation}' is not a number above 0")
    if not SHORTEST <= length <= LONGEST:
        raise AnsibleFilterError(f"length of {names[1]}, {names[2]}: {length} is not from {SHORTEST} to {LONGEST}")
    message = "\0".join([*names, str(int(generation))]).encode()
    digest = hmac.new(key.strip().encode(), message, hashlib.sha256).digest()
    text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return text.translate(str.maketrans("-_", "xz"))[:length]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "derived_secret": derived_secret,
            "keyed_digest": keyed_digest,
            "previous_secrets": previous_secrets,
        }
