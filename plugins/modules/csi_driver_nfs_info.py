#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin csi_driver_nfs_info, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: csi_driver_nfs_info
short_description: The csi-driver-nfs that a cluster has
version_added: 0.1.0
author: [The mlops.platform maintainers (@mlops-platform)]
description:
  - Tells whether a cluster has csi-driver-nfs, which version, and whether the platform installed it or can use it.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
  idempotent:
    description: Reads only.
    support: full
options:
  name:
    description: Name of the driver.
    type: str
    default: nfs.csi.k8s.io
  set:
    description: The set of M(mlops.platform.kube_set) by which the platform installs the driver, as namespace.name.
    type: str
    default: mlops-storage.csi-driver-nfs
  manage:
    description: Whether the platform is going to install the driver; RV(problem) depends on it.
    type: bool
    default: true
  accept_unknown_version:
    description: Whether a driver of somebody else may be used when its version cannot be told.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look for the driver
  mlops.platform.csi_driver_nfs_info:
  register: driver
"""

RETURN = r"""
installed:
  description: Whether the cluster has the driver.
  type: bool
  returned: success
own:
  description: Whether the platform installed it.
  type: bool
  returned: success
namespace:
  description: Namespace of its DaemonSet.
  type: str
  returned: success
workload:
  description: Name of its DaemonSet.
  type: str
  returned: success
image:
  description: Its image.
  type: str
  returned: success
version:
  description: Its version; empty when it cannot be told.
  type: str
  returned: success
  sample: 4.13.4
problem:
  description: Why the platform cannot go on, with the remedy; empty when it can.
  type: str
  returned: success
"""
