# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the whole inventory before anything is done. The documentation is in plugins/modules/inventory_check.py."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ..module_utils._kube.connection import VARIABLES
from ..module_utils._preflight.inventory import REQUIRED, Host, findings
from ..plugin_utils._kube_action import Result
from ..plugin_utils._roles import ROLES, defaults, options

VALUES = (*REQUIRED, "mlops_nfs_root", "mlops_nfs_folder", "mlops_namespace")
# Variables of the inventory that are no role's.
OF_THE_INVENTORY = {"cluster_name", "cluster_node_networks", "cluster_kubelet_dir", "storage_host", "mlops_environment"}


class ActionModule(ActionBase):
    """The action plugin inventory_check."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Read all hosts, also those that --limit leaves out."""
        super().run(tmp, task_vars)
        self.validate_argument_spec({})
        variables = task_vars or {}
        names = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
        known = {
            *OF_THE_INVENTORY,
            *VARIABLES.values(),
            *(name for role in names for name in options(role, self._loader)),
        }
        hosts = [self.host(name, variables) for name in sorted(set(variables["groups"]["all"]) - {"localhost"})]
        found = findings(hosts, known, names)
        if not found:
            return {"changed": False, "findings": []}
        title = f"the inventory has {len(found)} fault{'s' if len(found) > 1 else ''}; nothing was touched:"
        return {"failed": True, "findings": found, "msg": "\n- ".join([title, *found])}

    def host(self, name: str, task_vars: dict[str, t.Any]) -> Host:
        """One host of the inventory."""
        hostvars = task_vars["hostvars"]
        raw = dict(hostvars.raw_get(name))
        groups = frozenset(group for group, members in task_vars["groups"].items() if name in members)
        available = {**defaults("defaults", self._loader), **raw, "hostvars": hostvars, "groups": task_vars["groups"]}
        values, broken = self.values(available)
        return Host(name, groups, raw, values, broken)

    def values(self, available: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, str]]:
        """The values that matter, and why some cannot be made."""
        values: dict[str, t.Any] = {}
        broken: dict[str, str] = {}
        templar = self._templar.copy_with_new_env(available_variables=available)
        for name in VALUES:
            try:
                values[name] = templar.template(available.get(name))
            except AnsibleError as error:
                broken[name] = error.message
        return values, broken
