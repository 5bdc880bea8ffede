# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove volumes that nobody claims. The documentation is in plugins/modules/kube_unclaimed_volumes.py."""

from __future__ import annotations

import typing as t

from ..module_utils._kube.mask import Mask
from ..module_utils._kube.volumes import remove_unclaimed
from ..plugin_utils._kube_action import KubeAction, Result


class ActionModule(KubeAction):
    """The action plugin kube_unclaimed_volumes."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "storage_classes": {"type": "list", "elements": "str", "required": True},
        "assume_claims_removed": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
    }

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """One list, and the removal of what it says."""
        del mask
        classes, timeout = args["storage_classes"], args["wait_timeout"]
        with self.connect(args, task_vars) as client:
            found = remove_unclaimed(
                client, classes, self._task.check_mode, timeout, claims_go=args["assume_claims_removed"]
            )
        names = [item["metadata"]["name"] for item in found]
        lines = "".join(f"PersistentVolume {name}\n" for name in names)
        return {"changed": bool(names), "removed": names, "diff": {"before": lines, "after": ""}}
