#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All Ray objects of a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_objects_info
short_description: List the objects that the KubeRay operator looks after
version_added: 0.1.0
description:
  - Returns all objects of the API group C(ray.io), in all namespaces. While there are any, the operator and its CRDs
    must stay.
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: It only reads.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: It only reads.
    support: full
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Look for Ray objects
  mlops.platform.ray_objects_info:
  register: ray_objects
"""

RETURN = r"""
objects:
  description: The objects, as C(Kind namespace/name).
  returned: always
  type: list
  elements: str
  sample: ["RayService mlops/ray"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.mlops.platform.plugins.module_utils._ray import RayError
from ansible_collections.mlops.platform.plugins.module_utils._ray.service import Kube
from ansible_collections.mlops.platform.plugins.module_utils._ray_kube import kube_of

GROUP = "/apis/ray.io/v1"


def objects(kube: Kube) -> list[str]:
    """All objects of the group; none where the group is unknown."""
    kinds = (kube.get(GROUP, {}) or {}).get("resources") or []
    found = []
    for kind in kinds:
        if "/" not in kind["name"]:
            items = (kube.get(f"{GROUP}/{kind['name']}", {}) or {}).get("items") or []
            names = sorted(f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items)
            found += [f"{kind['kind']} {name}" for name in names]
    return found


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        with kube_of(module.params) as kube:
            module.exit_json(changed=False, objects=objects(kube))
    except RayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
