"""YAML texts to objects, and what is refused with a place."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.mlops.platform.plugins.module_utils._kube import documents
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document, duplicates, parse
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import key_of

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (GOOD, ["a"]),
        ("", []),
        ("---\n---\n# nothing\n", []),
        (f"---\n{GOOD}---\n\n---\n{GOOD.replace('a}', 'b}')}", ["a", "b"]),
        ("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n", ["s"]),
        ("apiVersion: v1\nkind: ConfigMapList\nitems: []\n", []),
        ('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}}', ["json"]),
    ],
)
def test_objects(text: str, names: list[str]) -> None:
    assert [found.object["metadata"]["name"] for found in parse(text, "x.yml")] == names


def test_values_that_yaml_turns_into_something_else() -> None:
    (found,) = parse(GOOD + "data: {day: 2026-01-02, when: 2026-01-02T03:04:05Z, merged: {<<: {a: b}, c: d}}", "x.yml")
    assert found.object["data"] == {"day": "2026-01-02", "when": "2026-01-02T03:04:05Z", "merged": {"a": "b", "c": "d"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", r"x\.yml, line 1, column 5 is not valid YAML"),
        (f"{GOOD}---\nkey: [1, 2", r"x\.yml, line 6, column 1 is not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", r"x\.yml, line 3, column 1 is not valid YAML: key 'a' stands twice"),
        (GOOD + "data:\n  x: '1'\n  x: '2'\n", r"line 6, column 3 .*key 'x' stands twice"),
        ("a: !python/object:os.system {}", r"not valid YAML"),
        ("just text", r"x\.yml, document 1 is not an object but str"),
        ("- 1", r"not an object but list"),
        ("kind: ConfigMap\nmetadata: {name: a}", r"document 1 has no apiVersion"),
        ("apiVersion: v1\nmetadata: {name: a}", r"document 1 has no kind"),
        ("apiVersion: v1\nkind: ConfigMap", r"ConfigMap has no metadata"),
        (f"{GOOD}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{}}", r"document 2: ConfigMap has no name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}", r"generateName is not supported"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 7}", r"a name that is none: 7"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a/../b}", r"a name that is none"),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {version: 1.0}}",
            r"metadata\.labels\.version is not text: put it in quotes",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {on: true}}",
            r"metadata\.annotations\.True is not text",
        ),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(KubeError, match=message):
        parse(text, "x.yml")


def test_the_text_around_an_error_is_not_shown() -> None:
    with pytest.raises(KubeError) as caught:
        parse("password: hunter2\nother: [hunter2", "x.yml")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "!hunter2secret",
            "line 5, column 13 is not valid YAML: a tag that means nothing here; put a text that begins",
        ),
        ("!hunter2secret!x y", "found undefined tag handle"),
        ("!<hunter2secret> x", "put a text that begins with ! in quotes"),
        ("!!python/object:hunter2secret x", "put a text that begins with ! in quotes"),
        ("!!int hunter2secret", "line 5, column 13 is not valid YAML: this is no int: put a text in quotes"),
        ("!!float hunter2secret", "this is no float"),
        ("!!bool hunter2secret", "this is no bool"),
        ("!!int ''", "this is no int"),
        ("0b_", "this is no int"),
        ("!!binary aHVudGVyMnNlY3JldA==", "put a text that begins with ! in quotes"),
        ("!!set {hunter2secret}", "put a text that begins with ! in quotes"),
        ("*hunter2secret", "found undefined alias"),
        ("[1, hunter2secret", r"did not find expected ',' or '\]'"),
        ("!!map hunter2secret", "expected a mapping node, but found scalar"),
    ],
)
def test_a_value_that_is_an_error_is_not_shown(value: str, message: str) -> None:
    with pytest.raises(KubeError, match=message) as caught:
        parse(f"{GOOD}stringData:\n  password: {value}\n", "x.yml")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('could not determine a constructor for the tag "!hunter2\'secret"', "put a text that begins with !"),
        ("found undefined alias 'hunter2secret'", "found undefined alias something else"),
        ("expected ',' or ']', but got 'hunter2secret'", "expected ',' or ']', but got something else"),
    ],
)
def test_what_the_parser_in_python_quotes_is_not_shown(text: str, problem: str) -> None:
    found = documents.problem(yaml.constructor.ConstructorError(problem=text))
    assert problem in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x: {<<: {p: 1, q: 2}, p: 3}", {"x": {"p": 3, "q": 2}}),
        ("x: &x {p: 1}\ny: {p: 3, <<: *x}", {"x": {"p": 1}, "y": {"p": 3}}),
        ("x: {<<: [{p: 1}, {p: 2, q: 2}], q: 5}", {"x": {"p": 1, "q": 5}}),
        ("x:\n  <<: {p: 1}\n  <<: {q: 2}\n  p: 3", {"x": {"p": 3, "q": 2}}),
        # The deeper mapping is read after the one that takes it over.
        ("a: {b: &x {<<: {p: 1}, p: 3}}\nz: {<<: *x, p: 9}", {"a": {"b": {"p": 3}}, "z": {"p": 9}}),
    ],
)
def test_a_merged_key_may_be_overridden(text: str, wanted: dict[str, object]) -> None:
    assert documents.loaded(text, "x.yml") == [wanted]


@pytest.mark.parametrize("merged", ["{}", "{p: 1}", "{a: 1}", "{a: 1, b: 2}"])
def test_an_own_key_beside_a_merge_stands_once(merged: str) -> None:
    with pytest.raises(KubeError, match="key 'p' stands twice"):
        parse(f"x: {{<<: {merged}, p: 3, p: 4}}", "x.yml")


def test_duplicates_name_both_places() -> None:
    found = [
        Document(item.object, f"file {number}") for number, item in enumerate(parse(f"{GOOD}---\n{GOOD}", "x.yml"))
    ]
    assert duplicates(found, key_of) == ["ConfigMap a stands twice: in file 0 and in file 1"]


def test_all_that_is_wrong_in_a_file_comes_at_once() -> None:
    with pytest.raises(KubeError) as caught:
        parse(f"text\n---\n{GOOD}---\nkind: ConfigMap\n---\napiVersion: v1\nkind: Secret\nmetadata: {{}}\n", "x.yml")
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "x.yml, document 1 is not an object but str",
        "x.yml, document 3 has no apiVersion",
        "x.yml, document 4",
    ]
