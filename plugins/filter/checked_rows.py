# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's list, checked before anything changes by the module that gets it later."""

from __future__ import annotations

import importlib
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mlops.platform.plugins.plugin_utils._kube_action import untagged

MODULES = "ansible_collections.mlops.platform.plugins.modules"


def checked_rows(rows: t.Sequence[t.Mapping[str, t.Any]], module: str, variable: str, **more: t.Any) -> int:
    """The number of rows, if the module would take them all; else an error that begins with the variable's name.

    ``more`` are options of the module that the check needs besides.
    """
    if rows == [] and not more:
        return 0
    # Only now: some modules import libraries that other plays do without.
    found = importlib.import_module(f"{MODULES}.{module}")
    option, wanted, error = found.CHECKED
    # The validator copies what it gets; a copy of templates would be one of all variables.
    given = untagged({option: list(rows), **more})
    checked = ArgumentSpecValidator({name: found.SPEC[name] for name in given}).validate(given)
    if checked.error_messages:
        raise AnsibleFilterError(f"{variable}: {checked.error_messages[0]}")
    try:
        wanted(checked.validated_parameters)
    except error as reason:
        raise AnsibleFilterError(f"{variable}: {reason}") from reason
    return len(rows)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"checked_rows": checked_rows}
