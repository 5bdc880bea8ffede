# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is waited for between an established CRD and the objects of its kind."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube import execute

if t.TYPE_CHECKING:
    from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client

SPEC = {
    "group": "example.org",
    "names": {"plural": "things"},
    "versions": [{"name": "v1", "served": True}, {"name": "v2", "served": True}, {"name": "v0", "served": False}],
}


class Discovery:
    """A server that names a kind of a version only when it was asked so often."""

    def __init__(self, **after: int) -> None:
        self.after = after
        self.asked: list[str] = []

    def find(self, path: str) -> dict[str, t.Any] | None:
        self.asked.append(path)
        version = path.rpartition("/")[2]
        if self.asked.count(path) <= self.after[version]:
            return None if version == "v1" else {"resources": [{"name": "others"}]}
        return {"resources": [{"name": "things/status"}, {"name": "things"}]}


def await_served(server: Discovery) -> None:
    execute.await_served(t.cast("Client", server), [SPEC], time.monotonic() + 0.3)


def test_every_served_version_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    server = Discovery(v1=2, v2=3)
    await_served(server)
    assert server.asked.count("/apis/example.org/v1") == 3
    assert server.asked.count("/apis/example.org/v2") == 4
    assert not [path for path in server.asked if path.endswith("v0")]


def test_a_server_that_serves_it_is_asked_once() -> None:
    server = Discovery(v1=0, v2=0)
    await_served(server)
    assert len(server.asked) == 2


def test_it_is_not_waited_for_ever() -> None:
    """An object of the kind then says what is wrong."""
    server = Discovery(v1=0, v2=99)
    await_served(server)
    assert 2 <= server.asked.count("/apis/example.org/v2") < 99
