"""Passwords from one master key."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.secrets import derived_secret, previous_secrets

KEY, OTHER_KEY = "k" * 40, "o" * 40


def derived(key: str | None = KEY, **changes: t.Any) -> str:
    names = {"cluster": "prod01", "component": "redis", "purpose": "default", **changes}
    return derived_secret(key, **names)


def test_a_secret_is_the_same_wherever_it_is_derived() -> None:
    # Written down, because another value would lock every cluster out of its data.
    assert derived() == "3nRLl4Ac9eNaf2vcm2acSfaiW4ixwUEj"


@pytest.mark.parametrize(
    "change",
    [{"cluster": "prod02"}, {"component": "minio"}, {"purpose": "root"}, {"generation": 2}, {"key": OTHER_KEY}],
)
def test_another_name_generation_or_key_is_another_secret(change: dict[str, t.Any]) -> None:
    assert derived(**change) != derived()


def test_names_do_not_run_into_each_other() -> None:
    assert derived(component="a", purpose="bc") != derived(component="ab", purpose="c")


def test_a_secret_is_safe_in_a_url_and_in_a_shell() -> None:
    assert all(derived(generation=number).isalnum() for number in range(1, 200))


def test_a_generation_may_be_text_as_extra_variables_are() -> None:
    assert derived(generation="2") == derived(generation=2)


def test_white_space_around_the_key_is_not_part_of_it() -> None:
    assert derived(f"{KEY}\n") == derived()


def test_a_given_secret_wins_and_needs_no_key() -> None:
    for given in ("twelve-chars", "x" * 128):
        assert derived(None, given=given) == given


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": ""}, "platform_master_key: it is empty"),
        ({"key": None}, "platform_master_key: it is empty"),
        ({"key": "k" * 31}, "platform_master_key: it has 31 characters; at least 32"),
        ({"given": "tiny", "variable": "redis_password"}, "redis_password: it is shorter than 12"),
        (
            {"given": "x" * 129, "variable": "redis_password"},
            "redis_password: it has 129 characters; give at most 128, or leave it empty",
        ),
        ({"given": "with white space"}, "printable ASCII"),
        ({"given": "ungewöhnliches-wort"}, "printable ASCII"),
        ({"generation": 0}, "'0' is not a number above 0"),
        ({"generation": "x"}, "'x' is not a number above 0"),
        ({"length": 64}, "64 is not from 12 to 43"),
    ],
)
def test_a_wrong_value_is_named_without_being_shown(arguments: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message) as error:
        derived(**arguments)
    assert str(arguments.get("given")) not in str(error.value)


def previous(previous_key: str = "", key: str = KEY, generation: int = 1, **changes: t.Any) -> list[str]:
    return previous_secrets(previous_key, key, "prod01", "redis", "default", generation, **changes)


def test_a_raised_or_lowered_generation_finds_the_one_that_was() -> None:
    assert previous(generation=3)[0] == derived(generation=2)
    assert derived(generation=1) in previous(generation=9)
    assert derived(generation=2) in previous(generation=1)


def test_a_changed_key_has_the_secret_of_the_old_key_first() -> None:
    assert previous(KEY, OTHER_KEY)[0] == derived()


def test_key_and_generation_may_change_together() -> None:
    assert derived(generation=1) in previous(KEY, OTHER_KEY, generation=2)


def test_a_given_secret_takes_the_place_of_a_derived_one_and_back() -> None:
    assert derived() in previous(given="a-given-secret")
    assert previous(previous_given="a-given-secret")[0] == "a-given-secret"


def test_the_current_secret_is_not_a_previous_one() -> None:
    assert derived() not in previous(OTHER_KEY)
    assert len(previous(OTHER_KEY, generation=50)) == len(set(previous(OTHER_KEY, generation=50))) < 25
