"""What the message about a set that is not ready shows, and how much of it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client, Response
from ansible_collections.mlops.platform.plugins.module_utils._kube.diagnose import (
    Diagnosis,
    condition_lines,
    diagnose_all,
    event_lines,
    log_lines,
    state_text,
)
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import ApiError
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import Key

Object = dict[str, t.Any]
META: Object = {"namespace": "ns", "name": "web-0"}
WAITING: Object = {"waiting": {"reason": "CrashLoopBackOff"}}
RUNNING: Object = {"running": {}}
GONE = "unable to retrieve container logs for containerd://1"
FORBIDDEN = ApiError(403, {"message": 'forbidden: User "ana" cannot get resource "pods/log" in API group "" in ns'})


class Cluster:
    """A client whose pod says one thing now and another in the run before, and whose events are given."""

    def __init__(self, now: str | ApiError = "", before: str | ApiError = "", events: t.Sequence[Object] = ()) -> None:
        self.said = {False: now, True: before}
        self.events = events
        self.asked: list[Object] = []

    def request(self, _method: str, path: str, query: Object, retries: bool) -> Response:
        """The log of a container."""
        assert path == "/api/v1/namespaces/ns/pods/web-0/log"
        assert not retries
        self.asked.append(query)
        answer = self.said[query["previous"]]
        if isinstance(answer, ApiError):
            raise answer
        return Response(200, answer, [])

    def get(self, _path: str, _query: Object) -> Object:
        """The events of an object."""
        return {"items": list(self.events)}

    @property
    def client(self) -> Client:
        """As its user sees it."""
        return t.cast(Client, self)


def numbered(first: int, last: int) -> str:
    return "\n".join(f"line {number}" for number in range(first, last + 1))


@pytest.mark.parametrize(
    ("container", "cluster", "expected", "runs"),
    [
        ({"state": RUNNING}, Cluster("now"), ["| now"], [False]),
        ({"state": RUNNING}, Cluster("now\nand then\n"), ["| now", "| and then"], [False]),
        # A container that waits for its next run has its reason in the one before.
        ({"state": WAITING, "restartCount": 3}, Cluster("", "before"), ["| before"], [True]),
        ({"state": RUNNING, "restartCount": 3}, Cluster("now", "before"), ["| now"], [False]),
        # What one run did not say, the other may have said.
        ({"state": WAITING, "restartCount": 3}, Cluster("now", GONE), ["| now"], [True, False]),
        ({"state": WAITING, "restartCount": 3}, Cluster("now", ApiError(400, "no run")), ["| now"], [True, False]),
        ({"state": RUNNING, "restartCount": 1}, Cluster(" \n", "before"), ["| before"], [False, True]),
        # Without a second run there is no other one.
        ({"state": WAITING}, Cluster(""), ["(no log: it said nothing)"], [False]),
        ({"state": RUNNING, "restartCount": 1}, Cluster(), ["(no log: it said nothing)"], [False, True]),
        ({"state": RUNNING}, Cluster(FORBIDDEN), [f"(no log: {FORBIDDEN})"], [False]),
        # A server that pays no heed to tailLines does not flood the message.
        ({"state": RUNNING}, Cluster(numbered(1, 25)), [f"| line {n}" for n in range(6, 26)], [False]),
        ({"state": RUNNING}, Cluster(numbered(1, 20)), [f"| line {n}" for n in range(1, 21)], [False]),
    ],
)
def test_the_last_log_lines(container: Object, cluster: Cluster, expected: list[str], runs: list[bool]) -> None:
    cluster.asked.clear()
    lines = log_lines(cluster.client, META, {"name": "main", "containerID": "containerd://1", **container})
    assert lines == [f"      {line}" for line in expected]
    assert cluster.asked == [{"container": "main", "tailLines": 20, "previous": previous} for previous in runs]


def test_a_container_that_never_ran_has_no_log() -> None:
    cluster = Cluster("now")
    assert log_lines(cluster.client, META, {"name": "main", "state": WAITING}) == []
    assert not cluster.asked


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"state": RUNNING}, "running"),
        ({}, "unknown"),
        (
            {"state": WAITING, "lastState": {"terminated": {"reason": "Error", "exitCode": 3}}, "restartCount": 2},
            "waiting CrashLoopBackOff; before: terminated Error exit code 3; 2 restarts",
        ),
        ({"state": {"waiting": {"reason": "ErrImagePull", "message": " no \n"}}}, "waiting ErrImagePull: no"),
        ({"state": {"terminated": {"exitCode": 0}}}, "terminated exit code 0"),
    ],
)
def test_the_state_of_a_container(container: Object, expected: str) -> None:
    assert state_text(container) == expected


def event(number: int, message: str) -> Object:
    return {
        "type": "Warning",
        "reason": "Failed",
        "message": message,
        "lastTimestamp": f"2026-01-01T00:00:{number:02}Z",
    }


def test_the_newest_events_once_each() -> None:
    events = [event(number, f"fault {number}") for number in (9, 3, 1, 2, 4, 5, 6, 7, 8)] + [event(10, "fault 9")]
    lines = event_lines(Cluster(events=events).client, "ns", "Pod", "web-0")
    assert lines == [f"  event Warning Failed: fault {number}" for number in range(4, 10)]


def test_the_conditions_that_are_not_as_they_should_be() -> None:
    states = (("Ready", "False"), ("Available", "True"), ("Failed", "True"), ("Stalled", "False"))
    obj = {"status": {"conditions": [{"type": name, "status": status} for name, status in states]}}
    assert condition_lines(obj) == ["  condition Ready=False: Ready=False", "  condition Failed=True: Failed=True"]


def test_many_objects_are_named_only() -> None:
    found = [Diagnosis(Key("", "ConfigMap", "ns", f"c{number}"), "phase Pending", {}, []) for number in range(7)]
    lines = diagnose_all(Cluster().client, found).splitlines()
    assert lines[:5] == [f"ConfigMap ns/c{number}: phase Pending" for number in range(5)]
    assert lines[5:] == ["and 2 more: ConfigMap ns/c5, ConfigMap ns/c6"]
