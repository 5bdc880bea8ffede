"""Values of Secrets are hidden in texts and diffs."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.diff import entry, equal
from ansible_collections.mlops.platform.plugins.module_utils._kube.mask import Mask
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import Key

Object = dict[str, t.Any]
KEY = Key("", "Secret", "ns", "s")


def secret(**values: str) -> Object:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}


def mask(*objects: Object, public: t.Iterable[str] = ()) -> Mask:
    found = Mask(public)
    for obj in objects:
        found.learn(obj)
    return found


@pytest.mark.parametrize(
    ("values", "text", "shown"),
    [
        ({"p": "hunter2-long-one"}, "url=postgres://u:hunter2-long-one@h", "url=postgres://u:***@h"),
        ({"p": "hunter2-long-one"}, "xhunter2-long-onex", "x***x"),
        ({"p": "hunter2"}, "is hunter2!", "is ***!"),
        ({"p": "word"}, "password and word", "password and ***"),
        ({"p": "abc"}, "abc", "abc"),
        ({"p": "one-long-secret", "q": "one-long-secret-more"}, "one-long-secret-more", "***"),
        ({"p": "aGVsbG8gd29ybGQh"}, base64.b64encode(b"aGVsbG8gd29ybGQh").decode(), "***"),
        ({"p": "line-number-one\nline-number-two"}, "says line-number-two", "says ***"),
        ({"p": "(a+)+$[special]"}, "x (a+)+$[special] y", "x *** y"),
        ({}, "nothing", "nothing"),
    ],
)
def test_texts(values: dict[str, str], text: str, shown: str) -> None:
    assert mask(secret(**values)).text(text) == shown


def test_string_data_and_names() -> None:
    given = {"kind": "Secret", "stringData": {"password": "from-string-data", "user": "mlflow"}}
    found = mask(given, public=["mlflow"])
    assert found.text("Deployment mlflow/x: from-string-data") == "Deployment mlflow/x: ***"


def test_other_kinds_are_not_secret() -> None:
    assert mask({"kind": "ConfigMap", "data": {"a": "visible-value"}}).text("visible-value") == "visible-value"


def test_a_diff_of_secrets_shows_what_changed_but_no_value() -> None:
    before, after = (
        secret(same="unchanged-value", other="first-value"),
        secret(same="unchanged-value", other="second-value"),
    )
    found = entry(KEY, before, after, mask(before, after))
    assert "other: '*** (before)'" in found["before"]
    assert "other: '*** (after)'" in found["after"]
    assert "same: '***'" in found["before"]
    everything = str(found)
    for value in ("unchanged-value", "first-value", "second-value"):
        assert value not in everything
        assert base64.b64encode(value.encode()).decode() not in everything


@pytest.mark.parametrize(("before", "after"), [(None, secret(p="some-value")), (secret(p="some-value"), None)])
def test_a_diff_of_a_new_or_removed_secret(before: Object | None, after: Object | None) -> None:
    found = entry(KEY, before, after, mask())
    assert base64.b64encode(b"some-value").decode() not in str(found)
    assert "***" in found["before"] + found["after"]


@pytest.mark.parametrize(
    "value",
    [
        "it's one: value",
        "with\ta tab in it",
        "many words " * 30 + "end",
        "double \"quoted\": 'both'",
        "two\nlines: it's",
    ],
)
def test_a_copy_in_another_object_is_hidden_in_whatever_form_yaml_writes_it(value: str) -> None:
    copy = {
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "data": {"copy": value, "list": [f"p={value}"], "other": "x"},
    }
    found = entry(Key("", "ConfigMap", "ns", "c"), copy, None, mask(secret(p=value)))
    assert found["before"].startswith("data:\n  copy: '***'\n  list:\n  - p=***\n  other: x\n")


@pytest.mark.parametrize("content", ["text-instead", ["a-list"], 5, None])
def test_a_secret_that_is_none_teaches_nothing(content: t.Any) -> None:
    assert mask({"kind": "Secret", "data": content, "stringData": content}).values == set()


def test_a_secret_that_kubectl_applied_is_hidden_too() -> None:
    obj = secret(p="x" * 20)
    obj["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "all-of-it", "note": "stays"}
    found = entry(KEY, obj, None, mask())
    assert "all-of-it" not in found["before"]
    assert "stays" in found["before"]


def test_what_only_the_server_writes_is_no_difference() -> None:
    one = {
        "kind": "X",
        "metadata": {"name": "x", "resourceVersion": "1", "generation": 1, "managedFields": []},
        "spec": 1,
    }
    other = {
        "kind": "X",
        "metadata": {"name": "x", "resourceVersion": "2", "generation": 2},
        "spec": 1,
        "status": {"x": 1},
    }
    assert equal(one, other)
    assert not equal(one, {**other, "spec": 2})
