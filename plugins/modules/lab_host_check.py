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
  disks:
    description: Disk space that must be free, unless what needs it is there already.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Folder below which the space must be free; it need not exist yet., type: path, required: true}
      gib: {description: The space., type: int, required: true}
      unless: {description: A path that exists once the space was used., type: path, required: true}
  registry: {description: C(address:port) on which the registry is to listen., type: str}
  registry_records:
    description: Folder with the records of the registry's process; while it runs, the port is its own.
    type: path
"""

EXAMPLES = r"""
- name: Check the machine
  mlops.platform.lab_host_check:
    memory_gib: 8
    disks: [{path: /var/cache/mlops-lab, gib: 15, unless: /var/cache/mlops-lab/bin}]
"""

RETURN = r"""
nfs_client:
  description: Whether volumes can be mounted, by the kernel's NFS client or by FUSE.
  returned: always
  type: bool
"""

import os
import platform
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, files, host
from ansible_collections.mlops.platform.plugins.module_utils._lab.host import GIB, Disk, Facts
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records

# Of cgroup v2 and v1.
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def disk_of(wanted: t.Mapping[str, t.Any]) -> Disk:
    path = Path(wanted["path"])
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    seen = os.statvfs(there)
    return Disk(str(path), wanted["gib"] * GIB, there.stat().st_dev, seen.f_bavail * seen.f_frsize)


def taken(params: t.Mapping[str, t.Any]) -> str | None:
    if not params["registry"]:
        return None
    record = Records(Path(params["registry_records"])).read("registry") if params["registry_records"] else None
    if record and record.running():
        return None
    tables = [Path(path) for path in ("/proc/net/tcp", "/proc/net/tcp6")]
    found = set().union(*(host.listeners(table.read_text(encoding="ascii")) for table in tables if table.exists()))
    return host.taken(params["registry"], found)


def nfs_client() -> bool:
    kernel = Path("/proc/filesystems").read_text(encoding="ascii").split()
    return "nfs4" in kernel or os.path.exists("/dev/fuse")


def memory() -> int:
    limits = [files.read(path) or b"" for path in MEMORY_LIMITS]
    return host.usable(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), [text.decode() for text in limits])


def facts(params: t.Mapping[str, t.Any]) -> Facts:
    distribution, release = host.os_release(Path("/etc/os-release").read_text(encoding="utf-8"))
    return Facts(
        uid=os.geteuid(),
        machine=platform.machine(),
        distribution=distribution,
        release=release,
        memory=memory(),
        nfs_client=nfs_client(),
        disks=tuple(disk_of(disk) for disk in params["disks"] if not os.path.exists(disk["unless"])),
        taken=taken(params),
    )


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    disk = {
        "path": {"type": "path", "required": True},
        "gib": {"type": "int", "required": True},
        "unless": {"type": "path", "required": True},
    }
    module = make(
        argument_spec={
            "memory_gib": {"type": "int", "required": True},
            "disks": {"type": "list", "elements": "dict", "default": [], "options": disk},
            "registry": {"type": "str"},
            "registry_records": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        seen = facts(module.params)
    except LabError as error:
        module.fail_json(msg=str(error))
    found = host.problems(seen, module.params["memory_gib"] * GIB)
    if found:
        module.fail_json(msg="This machine cannot hold the lab: " + "; ".join(found))
    module.exit_json(changed=False, nfs_client=seen.nfs_client)


if __name__ == "__main__":
    main()
