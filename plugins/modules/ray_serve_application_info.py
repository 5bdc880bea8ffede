#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications of a RayService, as they are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_serve_application_info
short_description: Read the Ray Serve applications of a RayService
version_added: 0.1.0
description:
  - Returns each application's entry in C(spec.serveConfigV2), with its status and its own error.
options:
  name:
    description: Only the application of this name.
    type: str
  values:
    description:
      - Whether C(entry) has the values of environment variables. They may be secrets, and are hidden otherwise. Use
        C(no_log) with it.
    type: bool
    default: false
extends_documentation_fragment:
  - mlops.platform.ray_service
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
seealso:
  - module: mlops.platform.ray_serve_application
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Read what runs
  mlops.platform.ray_serve_application_info:
    namespace: mlops
  register: applications
"""

RETURN = r"""
exists:
  description: Whether there is such a RayService.
  returned: always
  type: bool
ray_cluster:
  description: Name of the RayCluster that serves; empty when there is none yet.
  returned: always
  type: str
upgrading:
  description: Whether a new RayCluster is on its way to take over.
  returned: always
  type: bool
applications:
  description: The applications, in the order of the configuration.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str, returned: always}
    built_in: {description: Whether it is the platform's own., type: bool, returned: always}
    status:
      description: Status as Ray Serve says it; empty when it says nothing.
      type: str
      returned: always
    message: {description: The application's own error., type: str, returned: always}
    entry: {description: The entry as it stands in the configuration., type: dict, returned: always}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._ray import NotThereError, RayError, serve_config
from ansible_collections.mlops.platform.plugins.module_utils._ray.application import BUILT_IN
from ansible_collections.mlops.platform.plugins.module_utils._ray.service import Kube, Service
from ansible_collections.mlops.platform.plugins.module_utils._ray.state import NONE, is_upgrading, states
from ansible_collections.mlops.platform.plugins.module_utils._ray_kube import Params, argument_spec, kube_of, masked

UNNAMED = "default"  # what Ray calls an application without a name


def run(params: Params, kube: Kube) -> dict[str, t.Any]:
    """What is there."""
    try:
        found = Service(kube, params["namespace"], params["service"]).read()
    except NotThereError:
        return {"exists": False, "ray_cluster": "", "upgrading": False, "applications": []}
    entries = serve_config.entries(serve_config.of(found))
    known = states(found)
    named = [(str(entry.get("name") or UNNAMED), entry) for entry in entries]
    applications = [
        {"name": name, "built_in": name == BUILT_IN, **known.get(name, NONE)._asdict()}
        | {"entry": entry if params["values"] else masked(None, entry)[1]}
        for name, entry in named
        if params["name"] in (None, name)
    ]
    active = (found.get("status") or {}).get("activeServiceStatus") or {}
    return {
        "exists": True,
        "ray_cluster": active.get("rayClusterName") or "",
        "upgrading": is_upgrading(found),
        "applications": applications,
    }


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    spec = {**argument_spec(), "name": {"type": "str"}, "values": {"type": "bool", "default": False}}
    module = make(argument_spec=spec, supports_check_mode=True)
    try:
        with kube_of(module.params) as kube:
            module.exit_json(changed=False, **run(module.params, kube))
    except RayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
