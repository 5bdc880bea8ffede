# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell how the platform is on a cluster. The documentation is in plugins/modules/platform_info.py."""

from __future__ import annotations

import typing as t

from ..module_utils._kube.errors import KubeError
from ..module_utils._kube.info import describe, inventories
from ..module_utils._kube.mask import Mask
from ..module_utils._kube.report import add_details
from ..module_utils._kube.resources import Resources
from ..plugin_utils._kube_action import KubeAction, Result


class ActionModule(KubeAction):
    """The action plugin platform_info."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {"namespaces": {"type": "list", "elements": "str", "required": True}}

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """Read the sets of the namespaces; a cluster that cannot be read is a result too."""
        del mask
        nothing: Result = {"changed": False, "version": "", "components": []}
        try:
            with self.connect(args, task_vars) as client:
                version = client.get("/version").get("gitVersion", "")
                resources = Resources(client)
                stored = [one for namespace in args["namespaces"] for one in inventories(client, namespace, None)]
                sets = [describe(client, resources, one) for one in stored if one.state == "present"]
                components = add_details(client, sets)
        except KubeError as error:
            return {**nothing, "error": str(error)}
        return {**nothing, "version": version, "components": components, "error": ""}
