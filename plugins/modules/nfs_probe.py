#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module nfs_probe."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_probe
short_description: Reads a file through an NFSv4.1 server
version_added: 0.1.0
author: [The mlops.platform maintainers (@mlops-platform)]
description:
  - Mounts an export and reads a file from it, where the machine's kernel has an NFS client. Elsewhere it speaks NFSv4.1
    itself and looks the file up from the server's root, through the export, and reads it.
  - Changes nothing but the file that O(make) asks for. The mount is made in a mount namespace of its own and is gone
    when the module ends.
attributes:
  check_mode:
    description: Reads only; with O(make), nothing is made.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
  idempotent:
    description: A file that is as O(make) wants it stays.
    support: full
options:
  host:
    description: The server.
    type: str
    default: 127.0.0.1
  port:
    description: Its TCP port.
    type: int
    default: 2049
  path:
    description: The export.
    type: path
    required: true
  file:
    description: The file in the export, relative to O(path).
    type: str
    required: true
  content:
    description: What the file must hold. Empty to accept anything.
    type: str
    default: ""
  make:
    description:
      - Whether to make the file with O(content) in O(path) first. The export must be one of this machine.
    type: bool
    default: false
  mount:
    description: Whether to mount. V(auto) mounts where it can.
    type: str
    choices: [auto, always, never]
    default: auto
  timeout:
    description: Seconds to wait for a server that is starting or in its grace period.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: See that the NFS server of this machine works
  mlops.platform.nfs_probe:
    path: /srv/check
    file: marker
    content: It works.
    make: true
"""

RETURN = r"""
how:
  description: V(mount) or V(protocol).
  type: str
  returned: success
size:
  description: Bytes that were read.
  type: int
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._nfs import probe, server


def make(module: AnsibleModule) -> bool:
    """Give the file its content; whether it had another."""
    path = Path(module.params["path"], module.params["file"])
    wanted = module.params["content"].encode()
    if (path.read_bytes() if path.is_file() else None) == wanted:
        return False
    if not module.check_mode:
        staged = Path(module.tmpdir, path.name)
        staged.write_bytes(wanted)
        staged.chmod(0o644)
        module.atomic_move(str(staged), str(path))
    return True


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 2049},
            "path": {"type": "path", "required": True},
            "file": {"type": "str", "required": True},
            "content": {"type": "str", "default": ""},
            "make": {"type": "bool", "default": False},
            "mount": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
            "timeout": {"type": "int", "default": 60},
        },
        required_if=[("make", True, ["content"])],
        supports_check_mode=True,
    )
    given = module.params
    target = probe.Target(given["host"], given["port"], given["path"], given["file"], given["timeout"])
    made = given["make"] and make(module)
    mount = probe.will_mount(given["mount"])
    where = f"{target.host}:{target.path}/{target.file}"
    try:
        found = probe.read(target, server.runner(module), mount)
    except probe.UnreachableError as error:
        module.fail_json(msg=f"path: {where} could not be read {'by a mount' if mount else 'over NFSv4.1'}: {error}")
    if given["content"] and found != given["content"].encode():
        module.fail_json(msg=f"content: {where} holds something else; does another server answer on this port?")
    module.exit_json(changed=made, how="mount" if mount else "protocol", size=len(found))


if __name__ == "__main__":
    main()
