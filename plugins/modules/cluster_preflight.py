#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_preflight, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_preflight
short_description: Tell whether a cluster is what the platform needs
version_added: 0.1.0
description:
  - Checks that the expected API server answers, its version, what the user of the kubeconfig may do, the addresses of
    the nodes, the capacity that the nodes have left for what the roles' variables request, and whether a node can pull
    each image.
  - An image that a pod of the platform runs already is not pulled again. For the others a pod each is made in a
    namespace of its own, which is removed again; in check mode none is made.
  - None fails the task, nor does an API server that cannot be used. Look at RV(checks) for what was found.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
options:
  roles:
    description: Roles whose variables are read, such as V(redis).
    type: list
    elements: str
    required: true
  namespaces:
    description:
      - Namespaces of the platform, the components' own first. What their pods request counts as the platform's.
    type: list
    elements: str
    required: true
  node_networks:
    description: Networks in CIDR form in which all nodes must be.
    type: list
    elements: str
    required: true
  pull_secrets:
    description: Names of the pull Secrets, read from the first of O(namespaces).
    type: list
    elements: str
    default: []
  login_secret:
    description: Name of the one of O(pull_secrets) that O(login) stands for.
    type: str
    default: ""
  login:
    description: Content of that Secret, as C(.dockerconfigjson), where it may not exist yet.
    type: str
  warn_only:
    description: Checks whose failure is a warning only, such as V(capacity) where nodes are added on demand.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds until all images must be pulled.
    type: int
    default: 300
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Without the pods that pull images.
    support: partial
  diff_mode:
    description: It changes nothing that stays.
    support: N/A
  idempotent:
    description: It changes nothing that stays.
    support: full
seealso:
  - module: mlops.platform.inventory_check
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Look at the cluster
  mlops.platform.cluster_preflight:
    roles: [redis, minio]
    namespaces: [mlops, mlops-storage]
    node_networks: [10.20.0.0/24]
  register: preflight
"""

RETURN = r"""
checks:
  description: The results.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description:
        - Name of the check - C(reachability), C(version), C(permissions), C(node addresses), C(capacity) or C(images).
      type: str
    status:
      description: V(ok), V(warning), V(failed) or V(skipped).
      type: str
    message:
      description: What was found, and what to do.
      type: str
lines:
  description: The results as lines of text.
  returned: always
  type: list
  elements: str
"""
