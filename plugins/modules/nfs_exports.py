#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module nfs_exports."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_exports
short_description: Folders, NFS exports and quotas of one name on a Linux storage server
version_added: 0.1.0
author: [The mlops.platform maintainers (@mlops-platform)]
description:
  - Makes the exports that a storage server holds under one name equal to a list, with the folders that they need and,
    where the file system can, their quotas. Other exports of the server are not touched.
  - All or nothing. After a failure (full disk, refused export) folders and limits are as before, and the message says
    whether the old exports are in force, as the server tells it.
  - After a killed run the old or the new exports are in force; with NFS-Ganesha also the old ones with some of the new,
    where an old one that holds a new one may be missing. The next run finishes it.
  - The kernel's server gets all its files anew (C(exportfs -ra)), so exports that were made by hand with C(exportfs -o)
    are gone. A broken export of others is a warning.
  - It owns one file, C(/etc/exports.d/NAME.exports) for the kernel's server or C(/etc/ganesha/exports.d/NAME.conf)
    for NFS-Ganesha. Its header records whose it is.
  - Folders get their owner and mode, never recursively. Folders between O(root) and an export belong to root,
    unless they lie in an export of another name.
  - Runs on the storage server with its own Python 3.9 or newer and needs no packages. Runs as root.
attributes:
  check_mode:
    description: The same plan as the real run, without a write.
    support: full
  diff_mode:
    description: Shows the file, and the folders and limits that change.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description: The name of the set, such as the cluster's. Up to 63 letters, digits, dots, underscores and hyphens.
    type: str
    required: true
  root:
    description:
      - The folder that all paths are relative to. It must exist and must not lead through a symbolic link.
    type: path
    required: true
  folder:
    description:
      - The folder below O(root) that belongs to this name alone. Every export must lie in it, and no other name may
        have it.
    type: str
    default: ""
  mountpoint:
    description:
      - Where the disk of O(root) is mounted. Nothing is written while nothing is mounted there, and the kernel's
        server refuses the exports then. NFS-Ganesha does not look; let its service need the mount. Empty switches this
        off.
    type: str
    default: ""
  parent_mode:
    description: Mode of the folders between O(root) and an export; they belong to root.
    type: str
    default: "0711"
  exports:
    description: All exports of this name. Needed with O(state=present).
    type: list
    elements: dict
    suboptions:
      path:
        description: The folder to export, relative to O(root).
        type: str
        required: true
      owner:
        description: The folder's owner, a number or a user of the storage server.
        type: str
        default: "0"
      group:
        description: The folder's group, a number or a group of the storage server.
        type: str
        default: "0"
      mode:
        description: The folder's mode, octal.
        type: str
        default: "0750"
      clients:
        description:
          - Who may mount it. Addresses, networks in CIDR form, host names, patterns such as V(*.example.com), or
            V(@netgroup). The storage server must know the host names.
        type: list
        elements: str
        required: true
      access:
        description: Read and write, or read only. V(rw) unless O(exports[].options) says otherwise.
        type: str
        choices: [rw, ro]
      squash:
        description:
          - Whose requests are mapped to O(exports[].anonuid) and O(exports[].anongid). V(root) unless
            O(exports[].options) says otherwise.
        type: str
        choices: [root, all, none]
      anonuid:
        description: The uid that squashed users get. With O(exports[].squash=all) the owner of the folder, else 65534.
        type: int
      anongid:
        description: The gid that squashed users get. With O(exports[].squash=all) the group of the folder, else 65534.
        type: int
      sync:
        description: Answer a write only when it is on disk. V(true) unless O(exports[].options) says otherwise.
        type: bool
      secure:
        description: Take requests from ports below 1024 only. V(true) unless O(exports[].options) says otherwise.
        type: bool
      options:
        description:
          - Options in the words of exports(5), instead of or besides those above. NFS-Ganesha takes C(sec=) of the
            others.
        type: list
        elements: str
        default: []
      directories:
        description: Folders to make in the export.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: The folder, relative to the export.
            type: str
            required: true
          owner:
            description: Its owner; the export's unless given.
            type: str
          group:
            description: Its group; the export's unless given.
            type: str
          mode:
            description: Its mode; the export's unless given.
            type: str
      quota:
        description:
          - The most that the export may hold, in bytes or with a unit, such as V(20Gi). Empty for no limit.
          - Needs project quota on XFS or ext4. Elsewhere the module warns and says what to mount.
        type: str
        default: ""
  environment:
    description: The environment that the name belongs to; recorded in the header.
    type: str
    default: ""
  identity:
    description: What tells the cluster from others, such as the URL of its API server; recorded in the header.
    type: str
    default: ""
  previous_identity:
    description: The identity in the header that this run may replace. Needed once, when a cluster got a new identity.
    type: str
  allow_everyone:
    description:
      - Whether V(*), V(0.0.0.0/0), V(::/0) and whatever else means everyone may be among the clients.
    type: bool
    default: false
  backend:
    description: The kind of server. V(auto) takes the one that runs.
    type: str
    choices: [auto, kernel, ganesha]
    default: auto
  state:
    description: Whether the exports are there. V(absent) removes all exports of this name and keeps the data.
    type: str
    choices: [present, absent]
    default: present
  purge_data:
    description:
      - Delete the data of exports that this run removes, or removed before if O(exports) still names them. Needs
        O(confirm).
    type: bool
    default: false
  confirm:
    description: The value of O(name) again, to delete data.
    type: str
  lock_timeout:
    description: Seconds to wait for another run on the same storage server. V(0) waits for nobody.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Make the folders and exports of a cluster
  mlops.platform.nfs_exports:
    name: prod01
    root: /bitnami
    folder: deploy-Mlops-prod01
    environment: prod
    identity: https://prod01.example.com:6443
    exports:
      - path: deploy-Mlops-prod01/minio
        owner: "1000"
        group: "1000"
        mode: "0700"
        squash: all
        clients: [10.20.0.0/24]
        quota: 500Gi

- name: Remove the exports of a cluster and keep its data
  mlops.platform.nfs_exports:
    name: prod01
    root: /bitnami
    environment: prod
    identity: https://prod01.example.com:6443
    state: absent
"""

RETURN = r"""
backend:
  description: The kind of server.
  type: str
  returned: success
  sample: kernel
changes:
  description: What is done, in words.
  type: list
  elements: str
  returned: success
exports:
  description:
    - The exports of this name, with the id that NFS-Ganesha has for each (0 for the kernel) and the project of its
      quota (0 for none).
  type: list
  elements: dict
  returned: success
  sample: [{"path": "/bitnami/deploy-Mlops-prod01/minio", "export_id": 0, "project": 1234567}]
"""

import grp
import os
import pwd
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._nfs import apply, plan, server, spec
from ..module_utils._nfs.backend import Backend, BackendError, read_text, sweep
from ..module_utils._nfs.folders import open_root
from ..module_utils._nfs.values import RefusedError


def argument_spec() -> dict[str, t.Any]:
    """The module's parameters."""
    directory = {
        "path": {"type": "str", "required": True},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str"},
    }
    export = {
        "path": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "0"},
        "group": {"type": "str", "default": "0"},
        "mode": {"type": "str", "default": "0750"},
        "clients": {"type": "list", "elements": "str", "required": True},
        "access": {"type": "str", "choices": ["rw", "ro"]},
        "squash": {"type": "str", "choices": ["root", "all", "none"]},
        "anonuid": {"type": "int"},
        "anongid": {"type": "int"},
        "sync": {"type": "bool"},
        "secure": {"type": "bool"},
        "options": {"type": "list", "elements": "str", "default": []},
        "directories": {"type": "list", "elements": "dict", "default": [], "options": directory},
        "quota": {"type": "str", "default": ""},
    }
    return {
        "name": {"type": "str", "required": True},
        "root": {"type": "path", "required": True},
        "folder": {"type": "str", "default": ""},
        "mountpoint": {"type": "str", "default": ""},
        "parent_mode": {"type": "str", "default": "0711"},
        "exports": {"type": "list", "elements": "dict", "options": export},
        "environment": {"type": "str", "default": ""},
        "identity": {"type": "str", "default": ""},
        "previous_identity": {"type": "str"},
        "allow_everyone": {"type": "bool", "default": False},
        "backend": {"type": "str", "choices": ["auto", *server.KINDS], "default": "auto"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "purge_data": {"type": "bool", "default": False},
        "confirm": {"type": "str"},
        "lock_timeout": {"type": "int", "default": 120},
    }


def request_of(params: dict[str, t.Any]) -> plan.Request:
    """The parameters that are not exports; refuses an unconfirmed deletion."""
    if params["purge_data"] and params["confirm"] != params["name"]:
        raise RefusedError(f"confirm: to delete data set it to the name, '{params['name']}'")
    return plan.Request(
        state=params["state"],
        environment=params["environment"],
        identity=params["identity"],
        previous_identity=params["previous_identity"],
        purge=params["purge_data"],
        mountpoint=params["mountpoint"],
    )


def system_project_ids() -> set[int]:
    """The project ids that the machine's own files name."""
    text = "\n".join(read_text(path) or "" for path in ("/etc/projects", "/etc/projid"))
    return {
        int(number) for number in re.findall(r"^(\d+):|:(\d+)\s*$", text, re.MULTILINE) for number in number if number
    }


def root_of(wanted: spec.Wanted, request: plan.Request, check: bool, warn: t.Callable[[str], None]) -> int | None:
    """The opened root; None where there is none, which only check mode and a plain removal accept."""
    try:
        return open_root(wanted.root)
    except RefusedError as error:
        if os.path.lexists(wanted.root) or not (check or (request.state == "absent" and not request.purge)):
            raise
        if request.state == "present":
            warn(f"{error}; planned as if it were there and empty")
        return None


def run(params: dict[str, t.Any], backend: Backend, check: bool, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    """Plan, and carry it out unless in check mode."""
    request = request_of(params)
    wanted = spec.wanted(
        params, user=lambda name: pwd.getpwnam(name).pw_uid, group=lambda name: grp.getgrnam(name).gr_gid
    )
    if backend.kind == "kernel" and request.mountpoint:
        wanted = spec.on_mountpoint(wanted, request.mountpoint)
    problem = backend.problem()
    if problem and not check:
        raise RefusedError(problem)
    if problem:
        warn(problem)
    if not check:
        sweep(backend.staging)
    root_fd = root_of(wanted, request, check, warn)
    try:
        made = plan.make(request, wanted, backend, root_fd, system_project_ids())
        said = apply.carry_out(made, backend, root_fd) if made.changes and not check else []
    finally:
        if root_fd is not None:
            os.close(root_fd)
    for warning in [*made.warnings, *said]:
        warn(warning)
    return {
        "changed": bool(made.changes),
        "backend": backend.kind,
        "changes": list(made.changes),
        "diff": plan.diff(made),
        "exports": [
            {
                "path": export.path,
                "export_id": made.ids.get(export.path, 0),
                "project": made.header.projects.get(export.path, 0),
            }
            for export in made.exports
        ],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    command = server.runner(module)
    try:
        with apply.locked(apply.LOCK, module.params["lock_timeout"], module.check_mode):
            kind = server.choose(module.params["backend"], command, module.check_mode)
            result = run(module.params, server.make(kind, command), module.check_mode, module.warn)
    except (RefusedError, BackendError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"root: {error.filename or module.params['root']}: {error.strerror}; run with become")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
