#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin inventory_check, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_check
short_description: Refuse an inventory that cannot be right
version_added: 0.1.0
description:
  - Looks at all hosts of the inventory, also at those that C(--limit) leaves out, and connects to none.
  - Fails with one message that names everything to change - placeholders (V(CHANGE_ME)), variables that this collection
    does not have, values that the argument_specs of their role refuse or that cannot be made, variables that every
    cluster needs, storage servers that are not in the group C(storage), clusters in the groups of two environments, and
    clusters that would share a folder or an API server.
  - The variables of the role nfs_server are looked at for hosts of the group C(storage), all others for the clusters.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
options: {}
attributes:
  check_mode:
    description: It changes nothing.
    support: full
  diff_mode:
    description: It changes nothing.
    support: N/A
  idempotent:
    description: It changes nothing.
    support: full
seealso:
  - module: mlops.platform.cluster_preflight
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Refuse an inventory that cannot be right
  mlops.platform.inventory_check:
  run_once: true
"""

RETURN = r"""
findings:
  description: What must be changed, one sentence each.
  returned: always
  type: list
  elements: str
"""
