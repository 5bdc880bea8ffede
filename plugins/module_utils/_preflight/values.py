# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether a variable's value is what its role's argument_specs say."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError

Option = t.Mapping[str, t.Any]
CONVERSION = re.compile(r"^.*? is of type (\w+)(?: found in '(.+?)'\.)? and we were unable to convert to (\w+): ")


class Variable(t.NamedTuple):
    """A variable of a role: its name, the role, and its entry in the argument_specs."""

    name: str
    role: str
    option: Option


def variables(specs: t.Mapping[str, t.Any]) -> dict[str, Variable]:
    """All variables by name; the input is the content of each role's argument_specs.yml, by role."""
    found: dict[str, Variable] = {}
    for role, content in specs.items():
        for entry in (content.get("argument_specs") or {}).values():
            for name, option in (entry.get("options") or {}).items():
                found.setdefault(name, Variable(name, role, option))
    return found


def fault(variable: Variable, value: t.Any) -> str:
    """Why the value cannot be right, with the remedy; empty when it can. A secret is not in it."""
    name = variable.name
    # With its default, which is not used here, an option must not be null.
    option = {key: content for key, content in variable.option.items() if key != "required"}
    checked = ArgumentSpecValidator({name: option}).validate({name: value})
    if not checked.error_messages:
        return ""
    said = remove_values(reason(checked.errors[0]), checked._no_log_values)
    return f"{name}: {said}; write {wanted(option)}, see the README of the role {variable.role}"


def reason(error: Exception) -> str:
    """What the validator says, without what the sentence around it says already."""
    text = " ".join(str(error).split())
    if isinstance(error, UnsupportedError):
        return f"unknown field: {text.rstrip('.')}"
    found = CONVERSION.match(text)
    if not found:
        return text
    field = re.search(r"'(\w+)'", text) if found[2] else None
    place = f"{field[1]} " if field else ""
    return f"{place}is {found[1]} and cannot be read as {found[3]}"


def wanted(option: Option) -> str:
    """The type of a variable in words."""
    kind = option.get("type", "str")
    elements = f" of {option['elements']}" if option.get("elements") else ""
    choices = f", one of {', '.join(map(str, option['choices']))}" if option.get("choices") else ""
    return f"a value of the type {kind}{elements}{choices}"
