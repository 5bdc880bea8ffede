#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_host_check
short_description: Check that this machine can hold a lab
version_added: 0.1.0
description:
  - Fails with one message that lists all problems, each with its remedy. Changes nothing.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: The module only reads.}
  diff_mode: {support: N/A, description: The module only reads.}
options:
  memory_gib: {description: Memory that the machine must have., type: int, required: true}
  disk_gib: {description: Disk space that must be free., type: int, required: true}
  disk_path: {description: Folder below which the space must be free., type: path, default: /var/lib}
"""

EXAMPLES = r"""
- name: Check the machine
  mlops.platform.lab_host_check: {memory_gib: 8, disk_gib: 20}
"""

RETURN = r"""
free_disk_gib:
  description: Free disk space.
  returned: always
  type: float
"""

import os
import platform

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import host
from ansible_collections.mlops.platform.plugins.module_utils._lab.host import GIB, Facts, Needs


def facts(needs: Needs) -> Facts:
    with open("/etc/os-release", encoding="utf-8") as stream:
        distribution, release = host.os_release(stream.read())
    disk = os.statvfs(needs.disk_path)
    return Facts(
        uid=os.geteuid(),
        machine=platform.machine(),
        distribution=distribution,
        release=release,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        free_disk=disk.f_bavail * disk.f_frsize,
        devices=frozenset(device for device in needs.devices if os.path.exists(device)),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "memory_gib": {"type": "int", "required": True},
            "disk_gib": {"type": "int", "required": True},
            "disk_path": {"type": "path", "default": "/var/lib"},
        },
        supports_check_mode=True,
    )
    params = module.params
    needs = Needs(params["memory_gib"] * GIB, params["disk_gib"] * GIB, params["disk_path"])
    seen = facts(needs)
    found = host.problems(seen, needs)
    if found:
        module.fail_json(msg="This machine cannot hold the lab: " + "; ".join(found))
    module.exit_json(changed=False, free_disk_gib=round(seen.free_disk / GIB, 1))


if __name__ == "__main__":
    main()
