#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_node
short_description: Give a lab node its cgroup and its shared kubelet folder
version_added: 0.1.0
description:
  - Makes the cgroup below which the kubelet puts its pods, so that several kubelets share one machine, and makes the
    kubelet's folder a shared mount, so that mounts of CSI containers reach the host.
  - With O(state=absent) ends what still runs in the cgroup or belongs to the node's containerd, unmounts what is
    mounted below the folders and removes the folders and the cgroup.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is changed in check mode.}
  diff_mode: {support: full, description: What is made or removed.}
options:
  cgroup: {description: Path of the cgroup below each hierarchy's root., type: str, required: true}
  kubelet_dir: {description: The kubelet's folder., type: path, required: true}
  network: {description: Name of the CNI network; its cached results go with the node., type: str, required: true}
  folders:
    description: Folders that hold everything of the node; made when missing, removed with it.
    type: list
    elements: path
    required: true
  state: {description: Whether the node's ground is there., type: str, choices: [present, absent], default: present}
"""

EXAMPLES = r"""
- name: Prepare the node's ground
  mlops.platform.lab_node:
    cgroup: /mlops-desa01
    network: mlops-desa01
    kubelet_dir: /var/lib/mlops-lab/mlops/desa01/kubelet
    folders: [/var/lib/mlops-lab/mlops/desa01, /run/mlops-lab/mlops/desa01]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: str
"""

import functools
import glob
import os
import shutil
import signal
import time
import typing as t
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, node, process_cgroup, procfs
from ansible_collections.mlops.platform.plugins.module_utils._lab.procfs import Identity

Action = tuple[str, t.Callable[[], None]]
PLACES = node.Places()


def mountinfo() -> str:
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        return stream.read()


def make_cgroup(path: Path) -> None:
    node.hand_down(path.parent)
    path.mkdir(parents=True, exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):
        # A new v1 cpuset is empty and takes no process until it has its parent's values.
        if (path / name).exists() and not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            (path / name).write_text((path.parent / name).read_text(encoding="ascii"), encoding="ascii")


def share_mount(module: AnsibleModule, path: str) -> None:
    os.makedirs(path, exist_ok=True)
    module.run_command(["mount", "--bind", path, path], check_rc=True)
    module.run_command(["mount", "--make-rshared", path], check_rc=True)


def present(module: AnsibleModule) -> list[Action]:
    params = module.params
    actions: list[Action] = [
        (f"make {folder}", functools.partial(os.makedirs, folder, mode=0o711))
        for folder in params["folders"]
        if not os.path.isdir(folder)
    ]
    missing = [path for path in process_cgroup.folders(params["cgroup"], naming=False) if not path.is_dir()]
    actions += [(f"make cgroup {path}", functools.partial(make_cgroup, path)) for path in missing]
    kubelet = params["kubelet_dir"]
    if not any(m.target == kubelet and m.shared for m in node.parse_mounts(mountinfo())):
        actions.append((f"share mounts below {kubelet}", lambda: share_mount(module, kubelet)))
    return actions


def processes(params: t.Mapping[str, t.Any]) -> list[Identity]:
    """Processes in the node's cgroup, and shims of its containerd, which lie outside of it."""
    found = set(process_cgroup.members(params["cgroup"], naming=False))
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        pid = int(path.split("/")[2])
        with suppress(FileNotFoundError, ProcessLookupError):
            if pid not in (os.getpid(), os.getppid()) and node.mentions(Path(path).read_bytes(), params["folders"]):
                stat = procfs.read_stat(pid)
                found.update([stat.identity] if stat else [])
    return sorted(found, key=lambda identity: identity.pid)


def kill_all(params: t.Mapping[str, t.Any], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while left := processes(params):
        if time.monotonic() > deadline:
            pids = ", ".join(str(identity.pid) for identity in left)
            raise LabError(
                f"processes {pids} of {params['cgroup']} do not end; look at them with ps, then run it again"
            )
        procfs.send(left, signal.SIGKILL)
        procfs.wait_all(left, 1.0)


def unmount(module: AnsibleModule, target: str) -> None:
    # Lazy: a FUSE mount whose server is gone would block.
    rc, _out, err = module.run_command(["umount", "--lazy", target])
    if rc != 0 and any(m.target == target for m in node.parse_mounts(mountinfo())):
        raise LabError(f"cannot unmount {target}: {err.strip()}; see who uses it with fuser -vm {target}")


def remove_folder(folder: str) -> None:
    # A mount left below would lead out of the folder, in the end to the data on the storage server.
    mounted = node.below(node.parse_mounts(mountinfo()), [folder])
    if mounted:
        raise LabError(f"{mounted[0]} is still mounted: nothing was removed; unmount it, then run it again")
    shutil.rmtree(folder)


def remove_cgroup(cgroup: str, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    # The kernel calls a cgroup busy for a moment after its last process has ended.
    while left := [folder for folder in process_cgroup.folders(cgroup, naming=False) if folder.is_dir()]:
        if time.monotonic() > deadline:
            raise LabError(
                f"the cgroup {left[0]} cannot be removed; see who is in it (cgroup.procs), then run it again"
            )
        process_cgroup.remove(cgroup, naming=False)
        time.sleep(0.05)


def remove_trace(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_empty(folders: t.Iterable[Path]) -> None:
    for folder in folders:
        # Another node, or another program of this machine, may use it.
        with suppress(OSError):
            folder.rmdir()


def absent(module: AnsibleModule) -> list[Action]:
    params = module.params
    folders = params["folders"]
    actions: list[Action] = []
    if processes(params):
        actions.append((f"end processes of {params['cgroup']}", lambda: kill_all(params)))
    targets = node.below(node.parse_mounts(mountinfo()), folders)
    actions += [(f"unmount {target}", functools.partial(unmount, module, target)) for target in targets]
    left = node.traces(folders, params["network"], PLACES)
    actions += [(f"remove {path}", functools.partial(remove_trace, path)) for path in left]
    actions += [
        (f"remove {folder}", functools.partial(remove_folder, folder)) for folder in folders if os.path.isdir(folder)
    ]
    if any(folder.is_dir() for folder in process_cgroup.folders(params["cgroup"], naming=False)):
        actions.append((f"remove cgroup {params['cgroup']}", lambda: remove_cgroup(params["cgroup"])))
    if actions:
        actions.append(("remove empty folders that nodes share", lambda: remove_empty(PLACES.parents())))
    return actions


def run(module: AnsibleModule) -> dict[str, t.Any]:
    actions = present(module) if module.params["state"] == "present" else absent(module)
    if not module.check_mode:
        for _name, action in actions:
            action()
    names = [name for name, _action in actions]
    return {"changed": bool(names), "actions": names, "diff": {"before": "", "after": "".join(f"{n}\n" for n in names)}}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "cgroup": {"type": "str", "required": True},
            "network": {"type": "str", "required": True},
            "kubelet_dir": {"type": "path", "required": True},
            "folders": {"type": "list", "elements": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except LabError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
