# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a refused pull is the last word."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._preflight.images import Attempts, outcome


def pod(reason: str, message: str, name: str = "image-1") -> dict[str, t.Any]:
    waiting = {"reason": reason, "message": message}
    return {"metadata": {"name": name}, "status": {"containerStatuses": [{"state": {"waiting": waiting}}]}}


def finals(*states: dict[str, t.Any]) -> list[bool]:
    attempts = Attempts()
    return [attempts.is_final(state, outcome(state) or "") for state in states]


def test_an_image_that_is_not_there_is_named_at_once() -> None:
    assert finals(pod("ErrImagePull", "registry.example.org/x:1: not found")) == [True]


@pytest.mark.parametrize(
    "message",
    [
        "pulling from host 10.0.0.1:5000 failed with status code [manifests 1]: 401 Unauthorized",
        "pull access denied, repository does not exist or may require authorization",
    ],
)
def test_a_node_that_has_not_the_login_yet_may_try_again(message: str) -> None:
    first, back, second = pod("ErrImagePull", message), pod("ImagePullBackOff", message), pod("ErrImagePull", message)
    assert finals(first, first, back, back, second) == [False, False, False, False, True]


def test_attempts_of_one_pod_are_not_anothers() -> None:
    message = "401 Unauthorized"
    assert finals(pod("ImagePullBackOff", message), pod("ErrImagePull", message, "image-2")) == [False, False]
