# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Definitions of the lab's processes: read, checked and compared."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
BASE_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
NETNS_DIR = "/run/netns"


@dataclass(frozen=True)
class Definition:
    """One process as it is wanted."""

    name: str
    argv: tuple[str, ...] = ()
    netns: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    log: str | None = None
    log_max_bytes: int = 10 * 1024 * 1024
    ready: Mapping[str, Any] | None = None
    stop_signal: str = "TERM"
    stop_timeout: float = 20
    stop_scope: str = "session"
    oom_score_adj: int | None = None
    cgroup: str | None = None
    watch: tuple[str, ...] = ()
    group: str | None = None

    @property
    def netns_path(self) -> str | None:
        """Return the file of the network namespace, or None for the caller's own."""
        return f"{NETNS_DIR}/{self.netns}" if self.netns else None

    @property
    def environment(self) -> dict[str, str]:
        """Return the whole environment: nothing of the caller's gets in."""
        return {**BASE_ENVIRONMENT, **self.env}

    def digests(self) -> dict[str, str]:
        """Return one digest for each property that needs a restart when it changes."""
        values: dict[str, Any] = {
            "argv": self.argv,
            "netns": self.netns,
            "env": self.environment,
            "cwd": self.cwd,
            "log": self.log,
            "oom_score_adj": self.oom_score_adj,
            "cgroup": self.cgroup,
        }
        found = {key: _digest(json.dumps(value, sort_keys=True).encode()) for key, value in values.items()}
        found.update((f"file {path}", _digest(_content(path))) for path in self.watch)
        return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return b""


def signal_number(name: str) -> int | None:
    """Return the number of a signal such as TERM, SIGTERM or RTMIN+3, or None."""
    base, _plus, offset = name.upper().partition("+")
    known = signal.Signals.__members__.get(base if base.startswith("SIG") else f"SIG{base}")
    if known is None or (offset and not offset.isdigit()):
        return None
    return int(known) + int(offset or 0)


def problems(definitions: Sequence[Definition]) -> list[str]:
    """Return what is wrong with a list of wanted processes, one sentence each."""
    names = [definition.name for definition in definitions]
    found = [f"{name} is given twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for definition in definitions:
        found += [f"{definition.name}: {problem}" for problem in _problems(definition)]
    return found


def _problems(definition: Definition) -> list[str]:
    checks = [
        (NAME.match(definition.name), "name must be lower case letters, digits, '.', '_' and '-'"),
        (definition.argv, "argv is empty; give the program and its arguments"),
        (not definition.argv or definition.argv[0].startswith("/"), "argv must begin with the program's absolute path"),
        (definition.log and definition.log.startswith("/"), "log must be an absolute path"),
        (definition.cwd.startswith("/"), "cwd must be an absolute path"),
        (all(path.startswith("/") for path in definition.watch), "watch must hold absolute paths"),
        (definition.netns is None or "/" not in definition.netns, f"netns must be a name below {NETNS_DIR}"),
        (
            definition.cgroup is None or re.fullmatch(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+", definition.cgroup),
            "cgroup must be a path below the root of the cgroups, such as /lab/web",
        ),
        (
            signal_number(definition.stop_signal) is not None,
            f"stop_signal {definition.stop_signal} is not known; use a name such as TERM",
        ),
        (
            definition.oom_score_adj is None or -1000 <= definition.oom_score_adj <= 1000,
            "oom_score_adj must be between -1000 and 1000",
        ),
    ]
    return [message for good, message in checks if not good]


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of the properties whose digests differ."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
