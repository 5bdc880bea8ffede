#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin platform_info, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_info
short_description: Tell how the platform is on a cluster
version_added: 0.1.0
description:
  - Reads the sets that M(mlops.platform.kube_set) made, with what an operator wants to know of each - whether it is
    ready, whether it drifted, its images, its addresses and its claims.
  - A cluster that cannot be read does not fail the task; RV(error) says why.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
options:
  namespaces:
    description: Namespaces of the platform.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - mlops.platform.kube_connection
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
  - module: mlops.platform.kube_set_info
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Read the components
  mlops.platform.platform_info:
    namespaces: [mlops, mlops-storage]
  register: platform
"""

RETURN = r"""
error:
  description: Why the cluster could not be asked; empty when it was.
  returned: always
  type: str
version:
  description: The API server's version.
  returned: always
  type: str
components:
  description: The components.
  returned: always
  type: list
  elements: dict
  contains:
    component:
      description: Name of the set.
      type: str
    namespace:
      description: Its namespace.
      type: str
    ready:
      description: Whether all of its objects are ready.
      type: bool
    drift:
      description: Whether an object was changed or removed by somebody else.
      type: bool
    troubles:
      description: What is not ready or drifted, one sentence for each object.
      type: list
      elements: str
    images:
      description: Images of its workloads.
      type: list
      elements: str
    addresses:
      description: Where it is reached, inside and outside of the cluster.
      type: list
      elements: str
    claims:
      description: Its claims, each with name, size and storage_class.
      type: list
      elements: dict
"""
