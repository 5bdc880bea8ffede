# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules that run in the process of their action: options are checked and secrets hidden as AnsibleModule does."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.modules import redis_password
from ansible_collections.mlops.platform.plugins.plugin_utils._in_process import ExitError, InProcess, run_module

SPEC = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "count": {"type": "int", "default": 2},
    "mode": {"type": "str", "choices": ["a", "b"]},
}


def module(given: dict[str, t.Any], **rules: t.Any) -> InProcess:
    return InProcess(given, True, SPEC, supports_check_mode=True, **rules)


def ended(action: t.Callable[[], t.Any]) -> dict[str, t.Any]:
    with pytest.raises(ExitError) as end:
        action()
    return end.value.result


def test_options_get_their_types_and_defaults() -> None:
    made = module({"name": 7, "count": "3"})
    assert (made.params["name"], made.params["count"], made.params["mode"], made.check_mode) == ("7", 3, None, True)
    assert module({"name": "x"}).params["count"] == 2


@pytest.mark.parametrize(
    ("given", "rules", "words"),
    [
        ({}, {}, "missing required arguments: name"),
        ({"name": "x", "nmae": "y"}, {}, "unsupported parameters: nmae"),
        ({"name": "x", "mode": "c"}, {}, "value of mode must be one of: a, b"),
        (
            {"name": "x"},
            {"required_one_of": [("password", "mode")]},
            "one of the following is required: password, mode",
        ),
    ],
)
def test_wrong_options_end_the_module(given: dict[str, t.Any], rules: dict[str, t.Any], words: str) -> None:
    result = ended(lambda: module(given, **rules))
    assert result["failed"]
    assert words in result["msg"]


def test_a_secret_is_nowhere_in_the_result() -> None:
    made = module({"name": "x", "password": "a-long-password"})
    made.warn("it took a-long-password")
    result = ended(lambda: made.exit_json(changed=True, said="it is a-long-password", deep=[{"x": "a-long-password"}]))
    assert result["changed"]
    assert "a-long-password" not in str(result)


def test_a_command_is_run_with_its_input() -> None:
    assert module({"name": "x"}).run_command(["cat"], data="text") == (0, "text", "")
    assert module({"name": "x"}).run_command(["cat"]) == (0, "", "")
    assert module({"name": "x"}).run_command(["sh", "-c", "echo no >&2; exit 3"]) == (3, "", "no\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "echo out; echo why >&2; exit 3"], "sh -c echo out; echo why >&2; exit 3 ended with 3: why"),
        (["sh", "-c", "echo out; exit 3"], "sh -c echo out; exit 3 ended with 3: out"),
        (["false"], "false ended with 1: it said nothing"),
        (["no-such-program"], "no-such-program cannot be run: "),
    ],
)
def test_a_command_that_fails_ends_the_module_with_its_words(command: list[str], message: str) -> None:
    result = ended(lambda: module({"name": "x"}).run_command(command, check_rc=True))
    assert result["failed"]
    assert result["msg"].startswith(message)


def test_a_module_of_the_collection_runs() -> None:
    given = {"password": "not-used-here", "endpoint": "127.0.0.1:9", "kubeconfig": "/does/not/exist"}
    result = run_module(redis_password, given, check_mode=False)
    assert result["failed"]
    assert result["msg"].startswith("Redis does not answer")
    assert "not-used-here" not in str(result)
