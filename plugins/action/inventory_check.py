# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the whole inventory before anything is done. The documentation is in plugins/modules/inventory_check.py."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..module_utils._kube.connection import VARIABLES
from ..module_utils._kube.errors import KubeError
from ..module_utils._preflight.inventory import REQUIRED, Host, findings
from ..module_utils._preflight.values import Variable, variables
from ..plugin_utils._kube_action import Result, untagged
from ..plugin_utils._roles import ROLES, defaults, specs
from ..plugin_utils._warm import warm

VALUES = (*REQUIRED, "mlops_nfs_root", "mlops_nfs_folder", "mlops_namespace")
# Variables of the inventory that are no role's.
OF_THE_INVENTORY = {"cluster_name", "cluster_node_networks", "cluster_kubelet_dir", "storage_host", "mlops_environment"}
OF_THE_SERVER = "nfs_server"

# Every playbook begins with this action.
warm()


class ActionModule(ActionBase):
    """The action plugin inventory_check."""

    TRANSFERS_FILES = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Read all hosts, also those that --limit leaves out."""
        super().run(tmp, task_vars)
        self.validate_argument_spec({})
        given = task_vars or {}
        # The roles of the lab have no place in an inventory.
        roles = sorted(path.name for path in ROLES.iterdir() if path.is_dir() and not path.name.startswith("lab_"))
        table = variables(specs(roles))
        known = {*OF_THE_INVENTORY, *VARIABLES.values(), *table}
        shared = {key: value for role in roles for key, value in defaults(role, self._loader).items()}
        names = sorted(given["groups"]["all"])
        found = findings([self.host(name, given, table, shared) for name in names], known, roles, table)
        if not found:
            return {"changed": False, "findings": []}
        title = f"the inventory has {len(found)} fault{'s' if len(found) > 1 else ''}; nothing was touched:"
        return {"failed": True, "findings": found, "msg": "\n- ".join([title, *found])}

    def host(
        self, name: str, task_vars: dict[str, t.Any], table: dict[str, Variable], shared: dict[str, t.Any]
    ) -> Host:
        """One host of the inventory, with the values of those variables that are used on it."""
        hostvars = task_vars["hostvars"]
        raw = {**hostvars.raw_get(name), **self.over}
        groups = frozenset(group for group, members in task_vars["groups"].items() if name in members)
        server = "storage" in groups
        used = [key for key in raw if key in table and (table[key].role == OF_THE_SERVER) == server]
        available = {**shared, **raw, "hostvars": hostvars, "groups": task_vars["groups"]}
        values, broken = self.values(used if server else dict.fromkeys([*VALUES, *used]), available)
        return Host(name, groups, raw, values, broken)

    @functools.cached_property
    def over(self) -> dict[str, t.Any]:
        """What goes before the inventory: variables of the play, which an import may have, and of the command line."""
        return {**self._task.get_play().get_vars(), **load_extra_vars(self._loader)}

    def values(self, names: t.Iterable[str], available: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, str]]:
        """The values, and why some cannot be made."""
        values: dict[str, t.Any] = {}
        broken: dict[str, str] = {}
        templar = self._templar.copy_with_new_env(available_variables=available)
        for name in names:
            try:
                values[name] = untagged(templar.template(available.get(name)))
            except (AnsibleError, KubeError) as error:
                broken[name] = str(error)
        return values, broken
