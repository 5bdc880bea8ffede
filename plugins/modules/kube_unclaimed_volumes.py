#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin kube_unclaimed_volumes, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_unclaimed_volumes
short_description: Remove PersistentVolumes that nobody claims any more
version_added: 0.1.0
description:
  - After the removal of a claim, a volume with the reclaim policy V(Retain) stays as V(Released) and can never be
    claimed again. This removes such volumes of the named StorageClasses. The data stay where they are.
  - A volume whose claim is gone goes too where the cluster has not marked it yet, which takes it a moment.
  - Volumes whose claim is there, those that wait for one, and those with another reclaim policy, are left alone.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
options:
  storage_classes:
    description: Names of the StorageClasses. They need not exist any more.
    type: list
    elements: str
    required: true
  assume_claims_removed:
    description:
      - In check mode, take the claims of these volumes for gone, because an earlier task of the run removes them.
      - Without check mode it means nothing; a volume whose claim is there is left alone.
    type: bool
    default: false
  wait_timeout:
    description: Longest wait until the volumes are gone, in seconds. The CSI driver must run while they go.
    type: int
    default: 120
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Tells which volumes would go.
    support: full
  diff_mode:
    description: Names the volumes.
    support: full
  idempotent:
    description: A second run finds none.
    support: full
seealso:
  - module: mlops.platform.kube_set
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Remove what uninstalled components left
  mlops.platform.kube_unclaimed_volumes:
    storage_classes: [mlops-minio, mlops-postgresql]
"""

RETURN = r"""
removed:
  description: Names of the volumes, in check mode of those that would go.
  returned: success
  type: list
  elements: str
"""
