#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_machine
short_description: Make the root folder of a machine of the lab
version_added: 0.1.0
description:
  - Installs Debian once into an archive in O(cache_dir), keyed by what makes it, and unpacks it for this machine.
  - Mirror, keyrings and the way through a proxy are those of this machine's apt; CA certificates that this machine
    trusts and a fresh Debian does not are handed on.
  - Makes an SSH key for whoever manages the machine and the machine's own host key, once; writes C(known_hosts).
  - Does not start the machine, and does not touch its data.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is made in check mode.}
  diff_mode: {support: full, description: Files of the machine before and after; keys and proxies are not shown.}
options:
  path: {description: "Folder of the machine: keys, root and data.", type: path, required: true}
  cache_dir: {description: Folder of the archive., type: path, required: true}
  suite: {description: Name of the Debian release., type: str, required: true}
  packages: {description: Packages to install., type: list, elements: str, required: true}
  hostname: {description: Name of the machine., type: str, required: true}
  address: {description: Its IP address., type: str, required: true}
  names: {description: Other names of the machine., type: list, elements: str, default: []}
  nameservers:
    description: Addresses of its name servers. By default those of this machine.
    type: list
    elements: str
    default: []
  environment:
    description: Names of variables of this machine, such as C(http_proxy), that all logins of the machine get, too.
    type: list
    elements: str
    default: []
  folders: {description: Folders of data to make in O(path)., type: list, elements: str, default: []}
  ca_file: {description: Bundle of CA certificates that the machine must trust., type: path}
"""

EXAMPLES = r"""
- name: Make the storage machine
  mlops.platform.lab_machine:
    path: /var/lib/mlops-lab/mlops/storage
    cache_dir: /var/cache/mlops-lab
    suite: bookworm
    packages: [systemd-sysv, dbus, openssh-server, python3, ca-certificates]
    hostname: nfs01
    address: 10.77.0.2
"""

RETURN = r"""
root:
  description: The root folder. It has another name when the machine has to be made anew.
  returned: success
  type: str
stale:
  description: Root folders of earlier runs, which nobody needs once the machine runs from RV(root).
  returned: success
  type: list
  elements: str
ssh_key:
  description: File with the private key that may log in as root.
  returned: success
  type: str
known_hosts:
  description: File with the machine's host key.
  returned: success
  type: str
"""

import os
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._lab import (
    LabError,
    files,
    host_apt,
    machine_files,
    machine_root,
    rootfs,
)
from ansible_collections.mlops.platform.plugins.module_utils._lab.machine_files import Machine
from ansible_collections.mlops.platform.plugins.module_utils._lab.rootfs import Apt, Recipe

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "path": {"type": "path", "required": True},
    "cache_dir": {"type": "path", "required": True},
    "suite": {"type": "str", "required": True},
    "packages": {"type": "list", "elements": "str", "required": True},
    "hostname": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "default": []},
    "nameservers": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "list", "elements": "str", "default": []},
    "folders": {"type": "list", "elements": "str", "default": []},
    "ca_file": {"type": "path"},
}
RESOLV_CONFS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def ask_apt(params: dict[str, t.Any], keep: bool) -> Apt:
    """Read how this machine gets packages, from apt itself only when its configuration changed."""
    record, now = Path(params["path"]) / "apt.json", host_apt.fingerprint(params["suite"])
    answer = host_apt.remembered(record, now)
    if answer is None:
        answer = host_apt.read(params["suite"])
        if keep:
            host_apt.remember(record, now, answer)
    return answer


def describe(params: dict[str, t.Any], sources: Apt, keys: tuple[str, str, str]) -> Machine:
    """Put together what the machine is told."""
    found = tuple(params["nameservers"])
    if not found:
        found = machine_files.nameservers(*((files.read(path) or b"").decode() for path in RESOLV_CONFS))
    wrong = machine_files.problems(params["hostname"], params["address"], found)
    if wrong:
        raise LabError("; ".join(wrong))
    return Machine(
        hostname=params["hostname"],
        address=params["address"],
        names=tuple(params["names"]),
        nameservers=found,
        authorized_key=keys[0],
        host_key=keys[1],
        host_public_key=keys[2],
        sources=sources.sources,
        apt_settings=sources.settings,
        environment={name: os.environ[name] for name in params["environment"] if os.environ.get(name)},
    )


def diff_of(root: Path, name: str, before: str, after: str) -> dict[str, str]:
    """Return one file's part of the diff."""
    header = {"before_header": str(root / name), "after_header": str(root / name)}
    if name in machine_files.HIDDEN:
        return {**header, "before": "(hidden)\n", "after": "(hidden, changed)\n"}
    return {**header, "before": before, "after": after}


def make(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Make the machine's folder equal to what is wanted."""
    folder, recipe = Path(params["path"]), Recipe(params["suite"], tuple(params["packages"]))
    root = folder / f"root-{recipe.key()}"
    sources = ask_apt(params, keep=True)
    _private, client = machine_root.key_pair(folder / "ssh_key", "lab")
    machine = describe(params, sources, (client, *machine_root.key_pair(folder / "host_key", params["hostname"])))
    made = not root.exists()
    if made:
        rootfs.build(recipe, sources, Path(params["cache_dir"]))
        machine_root.unpack(recipe.archive(Path(params["cache_dir"])), root)
    changes = machine_root.differing(root, machine.files())
    machine_root.write(root, changes)
    for name in params["folders"]:
        (folder / name).mkdir(exist_ok=True)
    machine_root.provide_keyring(root, sources.keyring)
    trust = machine_root.set_trust(root, machine_root.trusted(root, params["ca_file"]))
    known = machine_root.differing(folder, {"known_hosts": machine.known_hosts()})
    machine_root.write(folder, known)
    return result(params, root, made or trust or bool(known), changes)


def foresee(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Tell what would be done."""
    folder, recipe = Path(params["path"]), Recipe(params["suite"], tuple(params["packages"]))
    root = folder / f"root-{recipe.key()}"
    keys = [files.read(str(folder / name)) for name in ("ssh_key.pub", "host_key", "host_key.pub")]
    if not root.exists() or None in keys:
        return result(params, root, True, {})
    client, host, public = ((key or b"").decode() for key in keys)
    machine = describe(params, ask_apt(params, keep=False), (client, host, public))
    trust = machine_root.distrusts(root, machine_root.trusted(root, params["ca_file"]))
    known = machine_root.differing(folder, {"known_hosts": machine.known_hosts()})
    return result(params, root, trust or bool(known), machine_root.differing(root, machine.files()))


def result(
    params: dict[str, t.Any], root: Path, other_changes: bool, changes: dict[str, tuple[str, str]]
) -> dict[str, t.Any]:
    """Return the module's result."""
    folder = Path(params["path"])
    return {
        "changed": other_changes or bool(changes),
        "root": str(root),
        "stale": machine_root.stale(folder, root),
        "ssh_key": str(folder / "ssh_key"),
        "known_hosts": str(folder / "known_hosts"),
        "diff": [diff_of(root, name, *both) for name, both in changes.items()],
    }


def main(new: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = new(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        module.exit_json(**(foresee if module.check_mode else make)(module.params))
    except (LabError, ImagesError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
