# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which sets a cluster holds. The documentation is in plugins/modules/kube_set_info.py."""

from __future__ import annotations

import typing as t

from ..module_utils._kube.errors import KubeError
from ..module_utils._kube.info import describe, inventories, outline, unhealthy
from ..module_utils._kube.mask import Mask
from ..module_utils._kube.resources import Resources
from ..plugin_utils._kube_action import KubeAction, Result


class ActionModule(KubeAction):
    """The action plugin kube_set_info."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "name": {"type": "str"},
        "namespace": {"type": "str"},
        "objects": {"type": "bool", "default": True},
        "require_healthy": {"type": "bool", "default": False},
    }

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """Read the inventories and look at the objects that they name."""
        if args["require_healthy"] and not args["objects"]:
            raise KubeError("objects: without them nothing can be healthy; leave out objects or require_healthy")
        with self.connect(args, task_vars) as client:
            found = inventories(client, args.get("namespace"), args.get("name"))
            if not args["objects"]:
                return {"changed": False, "sets": [outline(stored) for stored in found]}
            resources = Resources(client)
            sets = [describe(client, resources, stored) for stored in found]
        faults = unhealthy(sets)
        if args.get("name") and not any(item["state"] == "present" for item in sets):
            faults.append(f"the set {args['name']} does not exist")
        result: Result = {"changed": False, "sets": sets, "healthy": not faults}
        if faults and args["require_healthy"]:
            result.update(failed=True, msg="\n".join(faults))
        return result
