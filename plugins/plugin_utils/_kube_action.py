# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What action plugins share: options, the connection, failures in one message, and modules in the task's process."""

from __future__ import annotations

import json
import os
import types
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._kube.client import Client
from ..module_utils._kube.connection import VARIABLES, argument_spec, merged
from ..module_utils._kube.errors import KubeError
from ..module_utils._kube.kubeconfig import connection_from
from ..module_utils._kube.mask import Mask
from ._in_process import run_module

Result = dict[str, t.Any]
display = Display()


class KubeAction(ActionBase):
    """An action that talks to the API server of its host."""

    TRANSFERS_FILES = False
    SPEC: t.ClassVar[dict[str, t.Any]] = {}

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        mask = Mask()
        try:
            _checked, args = self.validate_argument_spec({**argument_spec(), **self.SPEC})
            args = untagged(args)
            result = self.act(args, task_vars or {}, mask)
        except KubeError as error:
            result = {"failed": True, "msg": mask.text(str(error)), **self.partial()}
        if "warnings" in result:
            result["warnings"] = [mask.text(text) for text in result["warnings"]]
        return result

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """Do what the plugin is for."""
        raise NotImplementedError

    def partial(self) -> Result:
        """What was done before a failure."""
        return {"changed": False}

    def connect(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Client:
        """A client for the cluster of this host; nothing is sent yet."""
        return Client(connection_from(merged(args, host_variables(self, task_vars), os.environ)))

    def progress(self, host: str, mask: Mask) -> t.Callable[[str], None]:
        """Shows a line with -v."""
        return lambda text: display.v(mask.text(text), host=host)


class LocalModule(ActionBase):
    """Runs the module of the task's name in this process: no Python is started and nothing is packed for it.

    An action plugin of its name has it as ``MODULE``: so it is imported before the first task's process is made, and
    not by each anew.
    """

    MODULE: t.ClassVar[types.ModuleType]
    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Run the module."""
        result: Result = super().run(tmp, task_vars)
        try:
            args = untagged(self.options(task_vars or {}))
        except KubeError as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(run_module(self.MODULE, args, self._task.check_mode))
        return result

    def options(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The module's options."""
        del task_vars
        return t.cast("dict[str, t.Any]", self._task.args)


class ClusterModule(LocalModule):
    """Runs a module that reaches into the cluster, with the connection options that the host's variables give."""

    def options(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The module's options, the connection among them."""
        given = {name: value for name, value in self._task.args.items() if name in (*VARIABLES, "allow_any_server")}
        found = merged(given, host_variables(self, task_vars), os.environ)
        return {**self._task.args, **{name: value for name, value in found.items() if value is not None}}


def host_variables(action: ActionBase, task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The variables of the host that say which cluster it is."""
    found = {name: action._templar.template(task_vars[name]) for name in VARIABLES.values() if name in task_vars}
    return t.cast("dict[str, t.Any]", untagged(found))


def untagged(value: t.Any) -> t.Any:
    """The value as plain dictionaries, lists and texts: YAML and JSON writers know no others."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        raise KubeError(f"an option holds something that is no text, number, list or mapping: {error}") from error
