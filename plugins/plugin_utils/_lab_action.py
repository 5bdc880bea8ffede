# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Runs the modules of the lab, which work on the machine that Ansible runs on."""

from __future__ import annotations

import types
import typing as t

from ansible.plugins.action import ActionBase

from ._in_process import run_module
from ._kube_action import Result, untagged


class LabModule(ActionBase):
    """Runs ``MODULE`` in the process of its task: no Python is started and nothing is packed for it."""

    MODULE: t.ClassVar[types.ModuleType]
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Run the module."""
        result: Result = super().run(tmp, task_vars)
        result.update(run_module(self.MODULE, untagged(self._task.args), self._task.check_mode))
        return result
