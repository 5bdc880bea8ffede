# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab.process_definition import (
    Definition,
    changes,
    problems,
    signal_number,
)

GOOD = Definition("web", ("/bin/sleep", "1"), log="/tmp/web.log")


@pytest.mark.parametrize(
    ("name", "number"),
    [("TERM", signal.SIGTERM), ("SIGINT", signal.SIGINT), ("RTMIN+3", signal.SIGRTMIN + 3), ("HUPP", None)],
)
def test_signals_by_name(name: str, number: int | None) -> None:
    assert signal_number(name) == number


def test_a_good_definition_has_no_problem() -> None:
    assert problems([GOOD, replace(GOOD, name="web2", netns="desa01", oom_score_adj=-999)]) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "Web"}, "name must be"),
        ({"name": "a/b"}, "name must be"),
        ({"argv": ()}, "argv is empty"),
        ({"argv": ("sleep", "1")}, "absolute path"),
        ({"log": None}, "log must be"),
        ({"cwd": "here"}, "cwd must be"),
        ({"watch": ("config",)}, "watch must hold"),
        ({"netns": "/run/netns/x"}, "netns must be a name"),
        ({"stop_signal": "NOW"}, "stop_signal NOW"),
        ({"oom_score_adj": 1001}, "oom_score_adj"),
    ],
)
def test_a_problem_is_named(wrong: dict[str, Any], message: str) -> None:
    (problem,) = problems([replace(GOOD, **wrong)])
    assert message in problem


def test_a_name_may_be_given_once() -> None:
    assert problems([GOOD, GOOD]) == ["web is given twice"]


@pytest.mark.parametrize(
    ("other", "changed"),
    [
        ({"argv": ("/bin/sleep", "2")}, ["argv"]),
        ({"env": {"A": "1"}}, ["env"]),
        ({"netns": "x"}, ["netns"]),
        ({"oom_score_adj": 0, "cwd": "/tmp"}, ["cwd", "oom_score_adj"]),
        ({"ready": {"tcp": "127.0.0.1:1"}, "stop_timeout": 3, "group": "g", "log_max_bytes": 1}, []),
    ],
)
def test_what_needs_a_restart(other: dict[str, Any], changed: list[str]) -> None:
    assert changes(GOOD.digests(), replace(GOOD, **other).digests()) == changed


def test_a_changed_file_needs_a_restart(tmp_path: Path) -> None:
    config = tmp_path / "config"
    watching = replace(GOOD, watch=(str(config),))
    none = watching.digests()
    config.write_text("a")
    assert changes(none, watching.digests()) == [f"file {config}"]
    assert changes(watching.digests(), watching.digests()) == []


def test_nothing_of_the_caller_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_CALLER", "1")
    environment = replace(GOOD, env={"PATH": "/bin", "A": "b"}).environment
    assert environment == {"PATH": "/bin", "LANG": "C.UTF-8", "A": "b"}
