# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a Containerfile says about where its image comes from and who runs in it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError

FROM = re.compile(r"^FROM\s+(?P<source>\S+)(?:\s+AS\s+(?P<stage>\S+))?\s*$", re.IGNORECASE)
COPY_FROM = re.compile(r"^(?:COPY|ADD)\s+(?:--\S+\s+)*--from=(?P<source>\S+)", re.IGNORECASE)
USER = re.compile(r"^USER\s+(?P<user>\S+)\s*$", re.IGNORECASE)
ARGUMENT = re.compile(r"^\$\{(?P<name>\w+)\}$")
REMOTE_ADD = re.compile(r"^ADD\s+(?:--\S+\s+)*(?:https?|git)://", re.IGNORECASE)


def lines(text: str) -> list[str]:
    """The instructions, with continued lines joined and comments left out."""
    joined = re.sub(r"\\\s*\n", " ", "\n".join(li for li in text.splitlines() if not li.lstrip().startswith("#")))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def _check_source(source: str, stages: t.Container[str], arguments: t.Container[str], where: str) -> None:
    argument = ARGUMENT.match(source)
    if argument and argument["name"] not in arguments:
        raise ImagesError(f"{where} builds on ${{{argument['name']}}}, which the image's bases do not name")
    if not argument and source != "scratch" and source not in stages:
        raise ImagesError(f"{where} builds on {source}: only scratch, its own stages and the image's bases are allowed")


def check(text: str, arguments: t.Container[str], where: str) -> None:
    """Refuse a Containerfile that takes anything but its named bases: its tag would not say what is in it."""
    stages: list[str] = []
    for line in lines(text):
        if REMOTE_ADD.match(line):
            raise ImagesError(f"{where} adds from the network ({line}): use a package registry with a lock file")
        copied, source = COPY_FROM.match(line), FROM.match(line)
        if copied:
            _check_source(copied["source"], stages, arguments, where)
        if source:
            _check_source(source["source"], stages, arguments, where)
            stages.append(source["stage"] or str(len(stages)))


def user(text: str) -> str | None:
    """The user of the last stage, when it names one."""
    current = None
    for line in lines(text):
        match = USER.match(line)
        current = match["user"] if match else None if FROM.match(line) else current
    return current
