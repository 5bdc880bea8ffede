# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of models: what it answers, and when a worker may take traffic."""

from __future__ import annotations

import enum
import importlib
import sys
import typing as t
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[3] / "images" / "ml" / "lib"
sys.path.insert(0, str(LIB))
logic = importlib.import_module("mlops_gate.logic")
watcher = importlib.import_module("mlops_gate.watcher")


def details(**statuses: str) -> dict[str, t.Any]:
    applications = {
        name: {"status": status, "route_prefix": f"/{name}", "docs_path": "/docs", "message": "secret trouble"}
        for name, status in statuses.items()
    }
    applications.setdefault("own", {"status": "RUNNING", "route_prefix": "/"})
    return {"applications": applications}


def view(complete: bool = False, **statuses: str) -> t.Any:
    return logic.View(details(**statuses), complete, 0.0)


def test_the_list_has_all_models_but_not_itself_and_tells_no_errors() -> None:
    status, body = logic.answer("/", view(iris="RUNNING", wine="DEPLOY_FAILED"), "own")
    assert status == 200
    assert body["models"] == [
        {"name": "iris", "route": "/iris", "status": "RUNNING", "docs": "/iris/docs", "model": None},
        {"name": "wine", "route": "/wine", "status": "DEPLOY_FAILED", "docs": "/wine/docs", "model": None},
    ]
    assert "secret" not in str(body)


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (view(), 200),
        (view(iris="RUNNING"), 200),
        (view(iris="DEPLOYING"), 503),
        (view(iris="RUNNING", wine="DEPLOY_FAILED"), 503),
        (view(complete=True, iris="DEPLOYING"), 200),
        (logic.View({}), 503),
        (logic.View({}, True), 200),
    ],
)
def test_a_cluster_is_ready_when_it_ran_everything_once(seen: t.Any, status: int) -> None:
    assert logic.answer("/ready", seen, "own")[0] == status


def test_a_status_may_be_a_member_of_an_enumeration() -> None:
    status = enum.Enum("Status", {"RUNNING": "RUNNING"}).RUNNING  # type: ignore[attr-defined]
    assert logic.is_complete({"applications": {"iris": {"status": status}}})


def test_what_is_waited_for_is_named() -> None:
    assert logic.answer("/ready", view(iris="DEPLOYING"), "own")[1]["waiting_for"] == {"iris": "DEPLOYING"}


def test_an_unknown_path_is_answered_as_such() -> None:
    assert logic.answer("/iirs", view(iris="RUNNING"), "own")[0] == 404


class Memory:
    """A cluster's memory."""

    def __init__(self, known: bool = False) -> None:
        self.known = known

    def recall(self) -> bool:
        return self.known

    def store(self) -> None:
        self.known = True


def watching(answers: t.Iterable[t.Any], memory: Memory) -> t.Any:
    queue = iter(answers)

    def ask() -> t.Any:
        answer = next(queue)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return watcher.Watcher(ask, memory, (OSError,))


def test_once_complete_is_always_complete_and_remembered() -> None:
    memory = Memory()
    seen = watching([details(iris="DEPLOYING"), details(iris="RUNNING"), details(iris="UNHEALTHY")], memory)
    found = []
    for _step in range(3):
        seen.step()
        found.append(seen.view.complete)
    assert (found, memory.known) == ([False, True, True], True)


def test_a_new_replica_in_a_cluster_that_was_complete_is_ready_at_once() -> None:
    seen = watching([details(iris="DEPLOY_FAILED")], Memory(known=True))
    seen.step()
    assert seen.view.complete


def test_a_head_that_is_away_changes_nothing() -> None:
    seen = watching([details(iris="RUNNING"), OSError("away"), OSError("away")], Memory())
    for _step in range(3):
        seen.step()
    assert seen.view.complete
    assert logic.statuses(seen.view.details) == {"iris": "RUNNING", "own": "RUNNING"}


def test_an_unexpected_error_is_not_hidden() -> None:
    seen = watching([KeyError("new form of an answer")], Memory())
    with pytest.raises(KeyError):
        seen.step()
