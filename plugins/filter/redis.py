# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis's configuration, and the password of one that is not the role's."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleFilterError

NAME = re.compile(r"[a-z][a-z0-9-]*")
# What the role sets itself.
OWN = (
    "aclfile",
    "bind",
    "daemonize",
    "dir",
    "include",
    "loadmodule",
    "logfile",
    "port",
    "protected-mode",
    "requirepass",
    "user",
)
# What those who keep their state in Redis rely on: nothing is evicted, written is kept, and a quiet connection stays.
FIXED = {"appendonly": "yes", "maxmemory-policy": "noeviction", "timeout": "0"}
Value = t.Union[str, int, float, bool, None]


def redis_conf(
    settings: t.Mapping[str, Value],
    defaults: t.Mapping[str, Value] | None = None,
    own: t.Mapping[str, Value] | None = None,
) -> str:
    """The text of redis.conf: the user's settings over the defaults, then the role's own; null is left out."""
    for name, value in settings.items():
        _check(name, value)
    merged = {**(defaults or {}), **settings, **FIXED, **(own or {})}
    return "".join(f"{name} {_literal(value)}\n" for name, value in sorted(merged.items()) if value is not None)


def _check(name: str, value: Value) -> None:
    if not NAME.fullmatch(name):
        raise AnsibleFilterError(f"redis_config: '{name}' is not the name of a setting")
    if name in OWN or name.startswith("tls-"):
        raise AnsibleFilterError(f"redis_config.{name}: the role sets it; remove it (TLS: redis_tls)")
    if name in FIXED and _literal(value) != FIXED[name]:
        raise AnsibleFilterError(
            f"redis_config.{name}: it must be {FIXED[name]} for those who keep their state in Redis"
        )
    if isinstance(value, (list, dict)) or "\n" in str(value):
        raise AnsibleFilterError(f"redis_config.{name}: it must be one line of text, a number or a boolean")


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if str(value) else '""'


def redis_external_password(given: str) -> str:
    """The password of a Redis of one's own, whose length is not judged here. Empty: it has none."""
    # KubeRay writes it into a shell's command without quotes.
    if any(character.isspace() or not character.isprintable() for character in given):
        raise AnsibleFilterError(
            "redis_password: Ray cannot give a password with white space or control characters to Redis; remove a line"
            " break at its end, or give Redis another password"
        )
    return given


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"redis_conf": redis_conf, "redis_external_password": redis_external_password}
