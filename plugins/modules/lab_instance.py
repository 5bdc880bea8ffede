#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_instance
short_description: Record a lab instance and compute its layout
version_added: 0.1.0
description:
  - Keeps one small record for each lab instance of this machine, so that two checkouts do not take each other's lab,
    and so that a cluster keeps its addresses.
  - Returns names, folders and addresses of the instance for the other lab roles.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is written in check mode.}
  diff_mode: {support: full, description: The record before and after.}
options:
  name:
    description: The instance's name; 1 to 16 lower-case letters and digits.
    type: str
    required: true
  clusters:
    description: Clusters that the instance has to have. Those of the record stay; a new instance gets C(desa01).
    type: list
    elements: str
    default: []
  checkout:
    description: Absolute path of the checkout that owns the instance.
    type: path
    required: true
  subnet:
    description:
      - The instance's private /16, fixed while the instance lives. When not given it is chosen by the name, and one
        that another instance of this machine has is passed over.
    type: str
  cache_dir:
    description: Folder of built binaries and images, shared by all instances.
    type: path
    default: /var/cache/mlops-lab
  record_dir:
    description: Folder of the records, one file an instance.
    type: path
    default: /var/lib/mlops-lab
  forget:
    description: Clusters to take out of the record, after they were removed. A name that is not in it is refused.
    type: list
    elements: str
    default: []
  state:
    description: Whether the record exists. V(absent) forgets the whole instance.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Record the instance
  mlops.platform.lab_instance:
    name: mlops
    clusters: [desa01]
    checkout: "{{ playbook_dir | dirname }}"
  register: lab_instance
"""

RETURN = r"""
lab:
  description: Names, folders and addresses of the instance, with one entry for each cluster.
  returned: always
  type: dict
"""

import json
import os
import typing as t
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, files, instances
from ansible_collections.mlops.platform.plugins.module_utils._lab import layout as lab
from ansible_collections.mlops.platform.plugins.module_utils._lab.instances import Record

ROUTES = "/proc/net/route"
RUN_DIR = "/run/mlops-lab"


def check_owner(record: Record | None, name: str, checkout: str) -> None:
    """Refuse an instance that another checkout started, while that checkout still exists."""
    if record and record["checkout"] != checkout and os.path.isdir(record["checkout"]):
        raise LabError(
            f"the lab instance {name!r} was started from another checkout, {record['checkout']}: "
            f"use that one, run 'make down LAB_NAME={name}' there, or choose another LAB_NAME here"
        )


def check_checkout(name: str, checkout: str) -> None:
    """Refuse a second instance from one checkout: its kubeconfigs would overwrite those of the first."""
    content = files.read(f"{checkout}/.lab/lab.json")
    present = json.loads(content)["name"] if content else name
    if present != name:
        raise LabError(
            f"this checkout holds the lab instance {present!r}: run 'make down LAB_NAME={present}' first, "
            f"or start {name!r} from another checkout"
        )


def wanted_record(record: Record | None, params: t.Mapping[str, t.Any], others: t.Mapping[str, Record]) -> Record:
    """The record as it has to be. Raises LabError for values that cannot be used."""
    lab.check_name(params["name"])
    lab.check_clusters(params["clusters"])
    known = record["subnet"] if record else None
    subnet = instances.subnet(params["subnet"], record, params["name"], others)
    lab.check_subnet(subnet)
    if known and subnet != known:
        raise LabError(f"LAB_SUBNET={subnet} differs from the running instance's {known}: run 'make down' first")
    taken = record["clusters"] if record else {}
    slots = lab.assign_slots(taken, params["clusters"] or ([] if taken else [lab.DEFAULT_CLUSTER]))
    kept = {name: slot for name, slot in slots.items() if name not in params["forget"]}
    return {"checkout": params["checkout"], "subnet": subnet, "clusters": kept}


def check_forget(record: Record | None, name: str, forget: t.Sequence[str]) -> None:
    """Refuse to remove clusters that are not there: a typing error would pass as success."""
    known = record["clusters"] if record else {}
    unknown = [cluster for cluster in forget if cluster not in known]
    if unknown:
        has = ", ".join(sorted(known)) or "none"
        raise LabError(f"there is no cluster {', '.join(unknown)} in the lab instance {name!r}; it has {has}")


def check_free(record: Record, name: str, others: t.Mapping[str, Record]) -> None:
    """Refuse a subnet that the machine uses. Read from the kernel: a fresh machine may have no ip program yet."""
    # One that was stopped by a reboot has no route just now.
    for other, its in others.items():
        if its["subnet"] == record["subnet"]:
            raise LabError(
                f"the lab's subnet {record['subnet']} is that of the lab instance {other!r} of {its['checkout']}: "
                "give another private /16 by LAB_SUBNET, or none"
            )
    with open(ROUTES, encoding="ascii") as stream:
        routes = lab.routes(stream.read())
    clash = lab.overlapping(record["subnet"], routes, own=("lo", f"lb{lab.instance_id(name)}"))
    if clash:
        raise LabError(
            f"the lab's subnet {record['subnet']} is in use on this machine ({clash}): "
            "give another private /16 by LAB_SUBNET, such as 10.x.0.0/16 or 172.20.0.0/16"
        )


def write_record(path: str, record: Record | None) -> None:
    if record is None:
        os.unlink(path)
        # Other instances have theirs in the same folders.
        for folder in (os.path.dirname(path), RUN_DIR):
            with suppress(OSError):
                os.rmdir(folder)
        return
    files.write(path, json.dumps(record, indent=1, sort_keys=True).encode())


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    path = instances.path_of(params["record_dir"], params["name"])
    before, others = instances.read(path), instances.others(params["record_dir"], params["name"])
    check_owner(before, params["name"], params["checkout"])
    check_checkout(params["name"], params["checkout"])
    check_forget(before, params["name"], params["forget"])
    wanted = wanted_record(before, params, others)
    after = wanted if params["state"] == "present" else None
    # Once the instance is there, a route that came later keeps nobody from repairing or removing it.
    if after and before is None:
        check_free(after, params["name"], others)
    changed = before != after
    if changed and not module.check_mode:
        write_record(path, after)
    arguments = (params["name"], wanted["subnet"], wanted["clusters"], params["checkout"], params["cache_dir"])
    return {"changed": changed, "lab": lab.layout(*arguments), "diff": {"before": before or {}, "after": after or {}}}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "name": {"type": "str", "required": True},
            "clusters": {"type": "list", "elements": "str", "default": []},
            "checkout": {"type": "path", "required": True},
            "subnet": {"type": "str"},
            "cache_dir": {"type": "path", "default": "/var/cache/mlops-lab"},
            "record_dir": {"type": "path", "default": instances.FOLDER},
            "forget": {"type": "list", "elements": "str", "default": []},
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
