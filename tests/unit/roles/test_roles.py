"""Every role: its defaults and its argument_specs say the same, and the components' roles speak one grammar."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from rendering import ROLES

COMPONENTS = ("postgresql", "redis", "minio", "mlflow", "kuberay_operator", "ray_service", "jupyterhub")
GRAMMAR = yaml.safe_load(Path(__file__).with_name("grammar.yml").read_text())
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
PRESENT = [name for name in COMPONENTS if name in NAMES]
Options = dict[str, dict[str, t.Any]]


def load(role: str, *parts: str) -> dict[str, t.Any]:
    path = ROLES.joinpath(role, *parts)
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def entry_points(role: str) -> dict[str, dict[str, t.Any]]:
    return load(role, "meta", "argument_specs.yml").get("argument_specs") or {}


def options(role: str) -> Options:
    return entry_points(role).get("main", {}).get("options") or {}


def nested(found: Options, path: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for name, option in found.items():
        yield path + name, option
        yield from nested(option.get("options") or {}, f"{path}{name}.")


@pytest.mark.parametrize("role", NAMES)
def test_defaults_and_argument_specs_have_the_same_variables(role: str) -> None:
    required = {name for name, option in options(role).items() if option.get("required")}
    assert set(load(role, "defaults", "main.yml")) - required == set(options(role)) - required


@pytest.mark.parametrize("role", NAMES)
def test_a_default_of_the_specs_is_the_default(role: str) -> None:
    defaults = load(role, "defaults", "main.yml")
    stated = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert {name: plain(value) for name, value in stated.items()} == {name: plain(defaults[name]) for name in stated}


def plain(value: t.Any) -> t.Any:
    """Folded texts are equal to the same text on one line."""
    return " ".join(value.split()) if isinstance(value, str) else value


@pytest.mark.parametrize("role", NAMES)
def test_every_variable_is_described_and_belongs_to_its_role(role: str) -> None:
    for entry in entry_points(role).values():
        for name, option in nested(entry.get("options") or {}):
            assert option.get("description"), f"{name} has no description"
            assert option.get("type"), f"{name} has no type"
    foreign = [name for name in options(role) if role != "defaults" and not name.startswith(f"{role}_")]
    assert foreign == []


@pytest.mark.parametrize("role", NAMES)
def test_other_entry_points_take_no_variables_of_their_own(role: str) -> None:
    for name, entry in entry_points(role).items():
        assert set(entry.get("options") or {}) <= set(options(role)), name


def differences(wanted: dict[str, t.Any], found: dict[str, t.Any], path: str) -> list[str]:
    """Where an option is not as the grammar has it."""
    faults = [
        f"{path}: {key} is {found.get(key)!r}, the grammar says {value!r}"
        for key, value in wanted.items()
        if key != "options" and found.get(key) != value
    ]
    inner = found.get("options") or {}
    for name, option in (wanted.get("options") or {}).items():
        faults += differences(option, inner[name], f"{path}.{name}") if name in inner else [f"{path}.{name} is missing"]
    return faults


@pytest.mark.parametrize("role", PRESENT)
def test_the_components_speak_one_grammar(role: str) -> None:
    faults: list[str] = []
    for necessary in (True, False):
        for suffix, wanted in GRAMMAR["required" if necessary else "optional"].items():
            found = options(role).get(f"{role}_{suffix}")
            if found:
                faults += differences(wanted, found, f"{role}_{suffix}")
            elif necessary:
                faults.append(f"{role}_{suffix} is missing")
    assert faults == []


@pytest.mark.parametrize(
    ("role", "file", "variable"),
    [
        ("postgresql", "main", "__postgresql_checked"),
        ("redis", "main", "__redis_previous_passwords"),
        ("minio", "main", "__minio_checked"),
        ("mlflow", "present", "__mlflow_checked"),
    ],
)
def test_wrong_values_are_refused_by_the_first_task(role: str, file: str, variable: str) -> None:
    """What only later tasks use is evaluated by a condition of the first."""
    first = yaml.safe_load((ROLES / role / "tasks" / f"{file}.yml").read_text())[0]
    conditions = first.get("ansible.builtin.assert", {}).get("that") or first["when"]
    assert f"{variable} | to_json | length > 0" in str(conditions)


def test_there_are_components() -> None:
    assert {"postgresql", "redis"} <= set(PRESENT)
