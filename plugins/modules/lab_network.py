#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_network
short_description: Make the network of a lab instance
version_added: 0.1.0
description:
  - One bridge with the gateway's address, one network namespace with an C(eth0) for each machine, and one nftables
    table that lets the machines reach the outside and keeps the clusters' pods apart.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: The commands are computed and not run.}
  diff_mode: {support: full, description: The commands that make the network as wanted.}
options:
  bridge: {description: Name of the bridge., type: str, required: true}
  gateway: {description: Address of the bridge; the machines' default route., type: str, required: true}
  subnet: {description: The instance's network., type: str, required: true}
  table: {description: Name of the nftables table., type: str, required: true}
  machines:
    description: The machines.
    type: list
    elements: dict
    default: []
    suboptions:
      netns: {description: Name of the network namespace., type: str, required: true}
      veth: {description: Name of the link's end on the host., type: str, required: true}
      address: {description: Address in the first /24 of the subnet., type: str, required: true}
  whole:
    description: With O(state=absent), remove the bridge and the rules too.
    type: bool
    default: false
  state: {description: Whether the machines are there., type: str, choices: [present, absent], default: present}
"""

EXAMPLES = r"""
- name: Make the network
  mlops.platform.lab_network:
    bridge: lb0a1b2c
    gateway: 10.77.0.1
    subnet: 10.77.0.0/16
    table: lab_mlops
    machines:
      - {netns: mlops-nfs01, veth: lv0a1b2c-2, address: 10.77.0.2}
"""

RETURN = r"""
commands:
  description: The commands that were run, or that would be in check mode.
  returned: always
  type: list
  elements: list
"""

import json
import shutil
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import network
from ansible_collections.mlops.platform.plugins.module_utils._lab.network import Command, Inside, Machine, Seen

# What role lab_host installs before it makes the network.
PROGRAMS = ("ip", "nft", "sysctl")
LINKS = Path("/sys/class/net")
NAMESPACES = Path("/run/netns")


def json_of(module: AnsibleModule, command: Command) -> list[dict[str, t.Any]]:
    _rc, out, _err = module.run_command(command, check_rc=True)
    return t.cast("list[dict[str, t.Any]]", json.loads(out or "[]"))


def addresses(shown: t.Sequence[dict[str, t.Any]], link: str) -> tuple[str, ...]:
    infos = [info for entry in shown if entry.get("ifname") == link for info in entry["addr_info"]]
    return tuple(f"{info['local']}/{info['prefixlen']}" for info in infos if info["family"] == "inet")


def links_up(shown: t.Sequence[dict[str, t.Any]]) -> frozenset[str]:
    return frozenset(entry["ifname"] for entry in shown if "UP" in entry["flags"])


def names(shown: t.Sequence[dict[str, t.Any]]) -> frozenset[str]:
    return frozenset(entry["ifname"] for entry in shown)


def forwards(module: AnsibleModule, *prefix: str) -> bool:
    _rc, out, _err = module.run_command([*prefix, "sysctl", "-n", "net.ipv4.ip_forward"], check_rc=True)
    return str(out).strip() == "1"


def look_inside(module: AnsibleModule, netns: str) -> Inside:
    shown = json_of(module, ["ip", "-n", netns, "-json", "address", "show"])
    routes = json_of(module, ["ip", "-n", netns, "-json", "-4", "route", "show", "default"])
    return Inside(
        links=names(shown),
        up=links_up(shown),
        addresses=addresses(shown, "eth0"),
        gateways=tuple(route["gateway"] for route in routes if "gateway" in route),
        forwarding=forwards(module, "nsenter", f"--net=/run/netns/{netns}"),
    )


def marks(module: AnsibleModule, table: str) -> dict[str, str]:
    """The instance's table, if it is there, with the mark of the rules that made it."""
    rc, out, _err = module.run_command(["nft", "list", "table", "ip", table])
    if rc != 0:
        return {}
    return {table: next((word for word in out.split() if word.startswith("made_from_")), "")}


def look(module: AnsibleModule, machines: t.Sequence[Machine]) -> Seen:
    shown = json_of(module, ["ip", "-json", "address", "show"])
    namespaces = frozenset(entry["name"] for entry in json_of(module, ["ip", "-json", "netns", "list"]))
    return Seen(
        links=names(shown),
        up=links_up(shown),
        masters={entry["ifname"]: entry["master"] for entry in shown if "master" in entry},
        namespaces=namespaces,
        inside={m.netns: look_inside(module, m.netns) for m in machines if m.netns in namespaces},
        bridge_addresses=addresses(shown, module.params["bridge"]),
        tables=marks(module, module.params["table"]),
        forwarding=forwards(module),
    )


def plan(params: t.Mapping[str, t.Any], seen: Seen, machines: t.Sequence[Machine]) -> tuple[list[Command], str | None]:
    """Commands, and the nftables rules to load where the table is missing or made from other rules."""
    bridge, gateway, table = params["bridge"], params["gateway"], params["table"]
    if params["state"] == "absent":
        return network.removal_commands(seen, bridge, table, machines, params["whole"]), None
    commands = network.bridge_commands(seen, bridge, gateway)
    if not seen.forwarding:
        commands.append(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    for machine in machines:
        commands += network.machine_commands(seen, bridge, gateway, machine)
    rules = network.ruleset(table, bridge, params["subnet"])
    mark = network.ruleset_mark(rules)
    if seen.tables.get(table) == mark:
        return commands, None
    # "add" then "delete": the file replaces the table in one transaction, whether it was there or not.
    return commands, f"add table ip {table}\ndelete table ip {table}\n{rules}add chain ip {table} {mark}\n"


def never_made(bridge: str, machines: t.Sequence[Machine]) -> bool:
    """Whether the machine was refused before anything was installed: it can have no network then."""
    links = [bridge, *(machine.veth for machine in machines)]
    places = [*(LINKS / link for link in links), *(NAMESPACES / machine.netns for machine in machines)]
    return not all(shutil.which(name) for name in PROGRAMS) and not any(place.exists() for place in places)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    machines = [Machine(**machine) for machine in module.params["machines"]]
    if module.params["state"] == "absent" and never_made(module.params["bridge"], machines):
        return {"changed": False, "commands": [], "diff": {"before": "", "after": ""}}
    commands, rules = plan(module.params, look(module, machines), machines)
    if not module.check_mode:
        for command in commands:
            module.run_command(command, check_rc=True)
        if rules:
            module.run_command(["nft", "-f", "-"], data=rules, check_rc=True)
    shown = [" ".join(command) for command in commands] + ([rules] if rules else [])
    diff = {"before": "", "after": "\n".join(shown) + "\n" if shown else ""}
    return {"changed": bool(shown), "commands": commands, "diff": diff}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    machine = {name: {"type": "str", "required": True} for name in Machine._fields}
    module = make(
        argument_spec={
            "bridge": {"type": "str", "required": True},
            "gateway": {"type": "str", "required": True},
            "subnet": {"type": "str", "required": True},
            "table": {"type": "str", "required": True},
            "machines": {"type": "list", "elements": "dict", "default": [], "options": machine},
            "whole": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
