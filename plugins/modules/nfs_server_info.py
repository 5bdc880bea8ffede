#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module nfs_server_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_server_info
short_description: How the NFS server of a machine is, in one visit
version_added: 0.1.0
author: [The mlops.platform maintainers (@mlops-platform)]
description:
  - Tells which NFS servers a Linux machine could run and runs, how files and folders of its configuration are, and
    whether a file can be read through the server. With that a role can tell that nothing is to be done.
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
  paths:
    description: Files and folders to describe.
    type: list
    elements: path
    default: []
  probe:
    description:
      - A file to read through the server, at once, as M(mlops.platform.nfs_probe) does. Without it nothing is read.
    type: dict
    suboptions:
      port:
        description: TCP port of the server on this machine.
        type: int
        default: 2049
      path:
        description: The export.
        type: path
        required: true
      file:
        description: The file in the export, relative to O(probe.path).
        type: str
        required: true
      content:
        description: What the file holds.
        type: str
        required: true
seealso:
  - module: mlops.platform.nfs_exports_info
  - module: mlops.platform.nfs_probe
"""

EXAMPLES = r"""
- name: See whether the server is there and works
  mlops.platform.nfs_server_info:
    paths: [/bitnami, /etc/ganesha/ganesha.conf]
    probe: {path: /srv/check, file: marker, content: It works.}
  become: true
  register: server
"""

RETURN = r"""
kernel_available:
  description: Whether the kernel has an NFS server, built in or as a module.
  type: bool
  returned: success
installed:
  description: The kinds of server whose programs are installed.
  type: list
  elements: str
  returned: success
  sample: [kernel]
running:
  description: The kinds of server that serve now.
  type: list
  elements: str
  returned: success
  sample: [kernel]
enabled:
  description: The kinds of server that start with the machine.
  type: list
  elements: str
  returned: success
  sample: [kernel]
rpcbind:
  description: Whether the service rpcbind, which only NFSv3 needs, is V(absent), V(masked) or V(present).
  type: str
  returned: success
  sample: masked
paths:
  description: What lies at each of O(paths) that exists. The hash is empty for what is no file.
  type: dict
  returned: success
  sample:
    /bitnami: {uid: 0, gid: 0, mode: "0711", directory: true, sha256: ""}
answers:
  description: Whether O(probe) was read with the content that it shall have; false without it.
  type: bool
  returned: success
"""

import hashlib
import os
import stat
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._nfs import probe, server
from ..module_utils._nfs.backend import Run

# A server that needs longer is waited for by the role's own check.
SECONDS = 5


def describe(path: str) -> dict[str, t.Any] | None:
    """Owner, mode and content of what a path leads to; None where nothing is."""
    try:
        found = os.stat(path)
        text = Path(path).read_bytes() if stat.S_ISREG(found.st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    return {
        "uid": found.st_uid,
        "gid": found.st_gid,
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "directory": stat.S_ISDIR(found.st_mode),
        "sha256": "" if text is None else hashlib.sha256(text).hexdigest(),
    }


def answers(wanted: t.Mapping[str, t.Any], run: Run) -> bool:
    """Whether the file is read through the server, with its content."""
    target = probe.Target("127.0.0.1", wanted["port"], wanted["path"], wanted["file"], SECONDS)
    try:
        found = probe.read(target, run, probe.will_mount("auto"))
    except probe.UnreachableError:
        return False
    return found == wanted["content"].encode()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": []},
            "probe": {
                "type": "dict",
                "options": {
                    "port": {"type": "int", "default": 2049},
                    "path": {"type": "path", "required": True},
                    "file": {"type": "str", "required": True},
                    "content": {"type": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    run = server.runner(module)
    wanted = module.params["probe"]
    try:
        facts = server.facts(run)
        paths = {path: found for path in module.params["paths"] if (found := describe(path))}
        works = bool(wanted and facts["running"] and answers(wanted, run))
    except OSError as error:
        module.fail_json(msg=f"paths: {error.filename}: {error.strerror}; run with become")
    module.exit_json(changed=False, **facts, paths=paths, answers=works)


if __name__ == "__main__":
    main()
