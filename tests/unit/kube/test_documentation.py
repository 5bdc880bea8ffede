"""The documentation of the plugins says what they take."""

from __future__ import annotations

import typing as t
from importlib import import_module

import pytest
import yaml

from ansible_collections.mlops.platform.plugins.doc_fragments.kube_connection import ModuleDocFragment
from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import argument_spec

PACKAGE = "ansible_collections.mlops.platform.plugins"
Options = dict[str, dict[str, t.Any]]


def described(options: Options) -> Options:
    """What both sides say about an option."""
    return {
        name: {
            "type": option.get("type", "str"),
            "required": bool(option.get("required")),
            "default": option.get("default"),
            "choices": option.get("choices"),
            "elements": option.get("elements"),
            "below": described(option.get("options") or option.get("suboptions") or {}),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", ["kube_set", "kube_set_info"])
def test_options(name: str) -> None:
    documented = yaml.safe_load(import_module(f"{PACKAGE}.modules.{name}").DOCUMENTATION)["options"]
    assert described(import_module(f"{PACKAGE}.action.{name}").ActionModule.SPEC) == described(documented)


def test_the_connection() -> None:
    assert described(argument_spec()) == described(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"])


def test_the_results_of_a_run() -> None:
    from ansible_collections.mlops.platform.plugins.module_utils._kube.engine import Outcome

    documented = yaml.safe_load(import_module(f"{PACKAGE}.modules.kube_set").RETURN)
    assert set(Outcome().result()) == {*documented, "changed"}
