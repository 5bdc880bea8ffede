# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Containerfile may only take what its tag knows of."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._images.containerfile import check, user


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nCOPY a /a\n",
        "ARG BASE\nFROM ${BASE} AS build\nRUN x\nFROM ${BASE}\nCOPY --from=build --chown=1:1 /a /a\n",
        "ARG BASE\nfrom ${BASE}\n# FROM docker.io/library/debian\nCOPY --from=0 /a /a\n",
        "ARG BASE\nFROM ${BASE}\nRUN echo \\\n  FROM docker.io/x\n",
    ],
)
def test_allowed(text: str) -> None:
    check(text, {"BASE"}, "it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM debian:trixie\n", "it builds on debian:trixie"),
        ("FROM ${OTHER}\n", r"it builds on \$\{OTHER\}"),
        ("FROM ${BASE}\nCOPY --from=docker.io/x /a /a\n", "it builds on docker.io/x"),
        ("FROM ${BASE} AS a\nCOPY --chmod=755 --from=b /a /a\n", "it builds on b"),
        ("FROM ${BASE}\nADD https://example.com/a /a\n", "it adds from the network"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ImagesError, match=message):
        check(text, {"BASE"}, "it")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nUSER 1:1\n", "1:1"),
        ("FROM a AS b\nUSER 1:1\nFROM c\n", None),
        ("FROM a\nUSER 0\nRUN x\nUSER 999:999\n", "999:999"),
    ],
)
def test_user_of_the_last_stage(text: str, expected: str | None) -> None:
    assert user(text) == expected
