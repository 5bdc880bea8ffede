# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Runs a module of this collection in the process of its action: no Python is started and nothing is packed for it."""

from __future__ import annotations

import subprocess
import types
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError

Result = dict[str, t.Any]


class ExitError(Exception):
    """The end of a module, with its result."""

    def __init__(self, result: Result) -> None:
        super().__init__("the module has ended")
        self.result = result


class InProcess:
    """What a module of this collection uses of AnsibleModule: options, check mode, commands, warnings and the end."""

    def __init__(self, given: Result, check_mode: bool, argument_spec: Result, **rules: t.Any) -> None:
        self.check_mode = check_mode
        self._warnings: list[str] = []
        rules.pop("supports_check_mode")
        checked = ArgumentSpecValidator(argument_spec, **rules).validate(given)
        self._secrets: set[str] = checked._no_log_values
        self.params: Result = checked.validated_parameters
        if checked.error_messages:
            self.fail_json(msg="; ".join(said(error) for error in checked.errors))

    def warn(self, warning: str) -> None:
        """Add a warning to the result."""
        self._warnings.append(warning)

    def run_command(self, args: list[str], check_rc: bool = False, data: str | None = None) -> tuple[int, str, str]:
        """Run a command; return its exit status, output and errors. ``data`` is its input."""
        try:
            done = subprocess.run(args, input=data or "", capture_output=True, text=True, check=False)
        except OSError as error:
            self.fail_json(msg=f"{args[0]} cannot be run: {error}")
        if check_rc and done.returncode:
            why = done.stderr.strip() or done.stdout.strip() or "it said nothing"
            self.fail_json(msg=f"{' '.join(args)} ended with {done.returncode}: {why}", rc=done.returncode)
        return done.returncode, done.stdout, done.stderr

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        """End the module."""
        more = {"warnings": self._warnings} if self._warnings else {}
        raise ExitError(remove_values({"changed": False, **result, **more}, self._secrets))

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """End the module as failed."""
        self.exit_json(failed=True, msg=msg, **result)


def said(error: Exception) -> str:
    """What is wrong with the options; that of unsupported ones begins with their names."""
    return f"unsupported parameters: {error}" if isinstance(error, UnsupportedError) else str(error)


def run_module(module: types.ModuleType, given: Result, check_mode: bool) -> Result:
    """The result of a module; ``given`` are its options, as the task has them."""
    try:
        module.main(lambda **spec: InProcess(given, check_mode, **spec))
    except ExitError as end:
        return end.result
    raise AssertionError(f"{module.__name__} ended without a result")
