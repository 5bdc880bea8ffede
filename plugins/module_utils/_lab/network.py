# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The network of a lab instance: one bridge, one network namespace a machine, one nftables table.

The functions decide which commands make the network as wanted; running them is the caller's part.
"""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t

Command = list[str]


class Machine(t.NamedTuple):
    """One machine on the bridge. ``address`` carries no prefix length."""

    netns: str
    veth: str
    address: str


class Inside(t.NamedTuple):
    """What a machine's network namespace has now; ``up`` are its links that are up."""

    links: frozenset[str] = frozenset()
    up: frozenset[str] = frozenset()
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    forwarding: bool = False


class Seen(t.NamedTuple):
    """What the host has now. ``up``: links that are up. ``masters``: bridge of a link. Addresses as address/prefix."""

    links: frozenset[str]
    up: frozenset[str]
    masters: t.Mapping[str, str]
    namespaces: frozenset[str]
    inside: t.Mapping[str, Inside]
    bridge_addresses: t.Sequence[str]
    tables: t.Mapping[str, str]
    forwarding: bool


def ruleset(table: str, bridge: str, subnet: str) -> str:
    """Rules of the instance: clusters do not route to each other's pods, machines reach the outside by NAT."""
    # Kernels with bridge-nf-call-iptables send what machines say to each other through this hook, too.
    machines = f"{ipaddress.ip_network(subnet).network_address}/24"
    return (
        f"table ip {table} {{\n"
        "  chain forward {\n"
        "    type filter hook forward priority -10; policy accept;\n"
        f'    iifname "{bridge}" ip daddr {subnet} ip daddr != {machines} reject\n'
        "  }\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority 100; policy accept;\n"
        f'    ip saddr {subnet} oifname != "{bridge}" masquerade\n'
        "  }\n"
        "}\n"
    )


def ruleset_mark(rules: str) -> str:
    """Name of an empty chain that tells which rules a table was made from."""
    return f"made_from_{hashlib.sha256(rules.encode()).hexdigest()[:12]}"


def bridge_commands(seen: Seen, bridge: str, gateway: str) -> list[Command]:
    commands: list[Command] = []
    if bridge not in seen.links:
        commands.append(["ip", "link", "add", bridge, "type", "bridge"])
    if f"{gateway}/24" not in seen.bridge_addresses:
        commands.append(["ip", "address", "replace", f"{gateway}/24", "dev", bridge])
    if bridge not in seen.up:
        commands.append(["ip", "link", "set", bridge, "up"])
    return commands


def is_complete(seen: Seen, bridge: str, gateway: str, machine: Machine) -> bool:
    """Whether everything of a machine is there: a run that was killed may have left any part of it."""
    inside = seen.inside.get(machine.netns, Inside())
    return (
        machine.veth in seen.up
        and seen.masters.get(machine.veth) == bridge
        and {"lo", "eth0"} <= inside.up
        and f"{machine.address}/24" in inside.addresses
        and gateway in inside.gateways
        and inside.forwarding
    )


def link_commands(seen: Seen, machine: Machine) -> list[Command]:
    """Commands that make the link between the host and the machine, where it is not there."""
    if machine.veth in seen.links and "eth0" in seen.inside.get(machine.netns, Inside()).links:
        return []
    # It leads into a namespace that was made anew since.
    commands = [["ip", "link", "delete", machine.veth]] if machine.veth in seen.links else []
    return [
        *commands,
        ["ip", "link", "add", machine.veth, "type", "veth", "peer", "name", "eth0", "netns", machine.netns],
    ]


def machine_commands(seen: Seen, bridge: str, gateway: str, machine: Machine) -> list[Command]:
    """Commands that make or complete one machine's namespace and link; each can be run again."""
    if is_complete(seen, bridge, gateway, machine):
        return []
    inside = ["ip", "-n", machine.netns]
    return [
        *([["ip", "netns", "add", machine.netns]] if machine.netns not in seen.namespaces else []),
        *link_commands(seen, machine),
        ["ip", "link", "set", machine.veth, "master", bridge, "up"],
        [*inside, "link", "set", "lo", "up"],
        [*inside, "link", "set", "eth0", "up"],
        [*inside, "address", "replace", f"{machine.address}/24", "dev", "eth0"],
        [*inside, "route", "replace", "default", "via", gateway],
        # nsenter, not `ip netns exec`: that remounts /sys and hides the cgroups.
        ["nsenter", f"--net=/run/netns/{machine.netns}", "sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ]


def removal_commands(seen: Seen, bridge: str, table: str, machines: t.Sequence[Machine], whole: bool) -> list[Command]:
    """Commands that remove the machines and, for the whole instance, the bridge and the rules."""
    commands = [["ip", "link", "delete", m.veth] for m in machines if m.veth in seen.links]
    commands += [["ip", "netns", "delete", m.netns] for m in machines if m.netns in seen.namespaces]
    if whole and bridge in seen.links:
        commands.append(["ip", "link", "delete", bridge])
    if whole and table in seen.tables:
        commands.append(["nft", "delete", "table", "ip", table])
    return commands
