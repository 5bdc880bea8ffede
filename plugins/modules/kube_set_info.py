#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin kube_set_info, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_set_info
short_description: Tell which sets a cluster holds, whether they are ready, and what drifted
version_added: 0.1.0
description:
  - Reads the inventories that M(mlops.platform.kube_set) wrote, and looks at the objects that they name. No
    templates are needed.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
options:
  name:
    description:
      - Look only at the set of this name.
    type: str
  namespace:
    description:
      - Look only at the sets whose inventory lies in this namespace. Without it, at the sets of the whole cluster.
    type: str
  objects:
    description:
      - Look at the objects too. V(false) reads the inventories alone and returns O(name), O(namespace) and the state of
        the sets, in one request.
    type: bool
    default: true
  require_healthy:
    description:
      - Fail, with the reason, when a set is missing, not ready or drifted. This makes the task a health check.
      - With O(name), a set that does not exist is a failure too.
    type: bool
    default: false
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
  - module: mlops.platform.kube_set
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Fail when the database is not well
  mlops.platform.kube_set_info:
    name: postgresql
    namespace: mlops
    require_healthy: true

- name: Read all sets of the cluster
  mlops.platform.kube_set_info:
  register: platform_sets
"""

RETURN = r"""
healthy:
  description: Whether all sets that were looked at are ready and have no drift.
  returned: with O(objects)
  type: bool
sets:
  description: The sets.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the set.
      type: str
    namespace:
      description: Namespace of its inventory.
      type: str
    state:
      description: V(present), or V(absent) when the set was removed and objects were kept.
      type: str
    ready:
      description: Whether all objects exist and are ready.
      type: bool
    drift:
      description: Whether an object is missing, or lost a field of the set to somebody else.
      type: bool
    objects:
      description: The objects.
      type: list
      elements: dict
      contains:
        api_version:
          description: API version.
          type: str
        kind:
          description: Kind.
          type: str
        namespace:
          description: Namespace, empty for a cluster-wide object.
          type: str
        name:
          description: Name.
          type: str
        exists:
          description: Whether the object is there.
          type: bool
        ready:
          description: Whether the object is ready.
          type: bool
        reason:
          description: Why it is not ready.
          type: str
        drift:
          description: Who changed the object, and which fields of the set were lost, one sentence each.
          type: list
          elements: str
"""
