# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look for csi-driver-nfs in a cluster. The documentation is in plugins/modules/csi_driver_nfs_info.py."""

from __future__ import annotations

import typing as t

from ..module_utils._kube.mask import Mask
from ..module_utils._nfs import driver
from ..plugin_utils._kube_action import KubeAction, Result


class ActionModule(KubeAction):
    """The action plugin csi_driver_nfs_info."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "name": {"type": "str", "default": "nfs.csi.k8s.io"},
        "set": {"type": "str", "default": "mlops-storage.csi-driver-nfs"},
        "manage": {"type": "bool", "default": True},
        "accept_unknown_version": {"type": "bool", "default": False},
    }

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """Two lists, one decision."""
        del mask
        with self.connect(args, task_vars) as client:
            drivers = client.get("/apis/storage.k8s.io/v1/csidrivers")["items"]
            daemon_sets = client.get("/apis/apps/v1/daemonsets")["items"]
        found = driver.find(args["name"], drivers, daemon_sets)
        return {
            "changed": False,
            "installed": found is not None,
            "namespace": found.namespace if found else "",
            "workload": found.workload if found else "",
            "image": found.image if found else "",
            "version": driver.text(found.version) if found and found.version else "",
            "own": bool(found and found.set_name == args["set"]),
            "problem": driver.problem(found, args["set"], args["manage"], args["accept_unknown_version"]),
        }
