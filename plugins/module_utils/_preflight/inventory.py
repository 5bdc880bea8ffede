# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What is wrong with an inventory as a whole. Nothing is connected to; values are those of the inventory alone."""

from __future__ import annotations

import dataclasses
import difflib
import typing as t

PLACEHOLDER = "CHANGE_ME"
ENVIRONMENTS = ("user", "desa", "test", "prod")
REQUIRED = {
    "cluster_name": "the cluster's name, which is also the name of its folder",
    "cluster_server": "the URL of its API server, such as https://prod01.example.org:6443",
    "cluster_node_networks": "the networks of its nodes, such as [10.20.0.0/24]",
    "mlops_environment": "the environment, such as prod",
    "storage_host": "the storage server's name in this inventory",
    "platform_master_key": "at least 32 random characters, from a vault or the environment's PLATFORM_MASTER_KEY",
}
PREFIXES = ("mlops_", "cluster_", "platform_", "object_store_")
FOREIGN = ("ansible_", "lab_", "vault_")
ALIKE = 0.88


@dataclasses.dataclass(frozen=True)
class Host:
    """A host of the inventory: variables as they were written, and the values of those that matter here.

    A value that could not be made is the exception's text in ``broken``.
    """

    name: str
    groups: frozenset[str] = frozenset()
    variables: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    values: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    broken: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def findings(hosts: t.Sequence[Host], known: t.AbstractSet[str], roles: t.Collection[str]) -> list[str]:
    """All that must be changed, one sentence each; ``known`` are the collection's variables."""
    clusters = [host for host in hosts if "storage" not in host.groups]
    return [
        *placeholders(hosts),
        *misspelt(hosts, known, roles),
        *missing(clusters),
        *storage(clusters, {host.name for host in hosts if "storage" in host.groups}),
        *environments(clusters),
        *twice(clusters),
    ]


def by_message(found: t.Iterable[tuple[str, str]]) -> list[str]:
    """Messages with all the hosts that they are about; the input is pairs of host and message."""
    hosts: dict[str, list[str]] = {}
    for host, message in found:
        hosts.setdefault(message, []).append(host)
    return [f"{', '.join(names)}: {message}" for message, names in hosts.items()]


def placeholders(hosts: t.Iterable[Host]) -> list[str]:
    """Variables that still hold CHANGE_ME."""
    return by_message(
        (host.name, f"{path}: it is still {PLACEHOLDER}; write the value of this installation")
        for host in hosts
        for name in sorted(host.variables)
        for path in places(name, host.variables[name])
    )


def places(path: str, value: t.Any) -> list[str]:
    """Where a placeholder is in a value, as a path."""
    if isinstance(value, str):
        return [path] if PLACEHOLDER in value else []
    if isinstance(value, t.Mapping):
        return [place for key, item in value.items() for place in places(f"{path}.{key}", item)]
    if isinstance(value, (list, tuple)):
        return [place for number, item in enumerate(value) for place in places(f"{path}[{number}]", item)]
    return []


def misspelt(hosts: t.Iterable[Host], known: t.AbstractSet[str], roles: t.Collection[str]) -> list[str]:
    """Variables that look like the collection's and are none."""
    prefixes = (*PREFIXES, *(f"{role}_" for role in roles if not role.startswith(FOREIGN)))
    ordered = sorted(known)
    return by_message(
        (host.name, message)
        for host in hosts
        for name in sorted(set(host.variables) - known)
        if not name.startswith(FOREIGN)
        for message in unknown(name, ordered, name.startswith(prefixes))
    )


def unknown(name: str, known: t.Sequence[str], ours: bool) -> list[str]:
    """The message about one name. One that is not ours by its prefix must be very alike to be meant."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6 if ours else ALIKE)
    if not near and not ours:
        return []
    hint = f"did you mean {near[0]}?" if near else "look into the README of the role, or rename a variable of your own"
    return [f"{name}: the collection has no such variable; {hint}"]


def missing(clusters: t.Iterable[Host]) -> list[str]:
    """What every cluster must have."""
    found = []
    for host in clusters:
        for name, what in REQUIRED.items():
            if name in host.broken:
                found.append((host.name, f"{name}: its value cannot be made: {host.broken[name]}"))
            elif not host.values.get(name):
                found.append((host.name, f"{name}: it is missing; write {what}"))
    return by_message(found)


def storage(clusters: t.Iterable[Host], servers: t.AbstractSet[str]) -> list[str]:
    """Storage servers that the inventory does not have."""
    hint = f"it has {', '.join(sorted(servers))}" if servers else "it has none: write the storage server there"
    return by_message(
        (host.name, f"storage_host: {wanted} is not in the group storage of this inventory; {hint}")
        for host in clusters
        for wanted in [host.values.get("storage_host")]
        if wanted and wanted not in servers and PLACEHOLDER not in str(wanted)
    )


def environments(clusters: t.Iterable[Host]) -> list[str]:
    """Clusters in the groups of two environments."""
    found = [(host, sorted(host.groups & set(ENVIRONMENTS))) for host in clusters]
    return [
        f"{host.name}: it is in the groups {' and '.join(groups)}; a cluster belongs to one environment: "
        "take it out of the others"
        for host, groups in found
        if len(groups) > 1
    ]


def twice(clusters: t.Sequence[Host]) -> list[str]:
    """Clusters that would share what must be their own."""
    folders = pairs(clusters, lambda v: (v["storage_host"], f"{v['mlops_nfs_root']}/{v['mlops_nfs_folder']}"))
    servers = pairs(clusters, lambda v: (str(v["cluster_server"]).rstrip("/"), v["mlops_namespace"]))
    return [
        *(
            f"{' and '.join(names)}: mlops_nfs_folder: both have the folder {folder} on {server}; give each its own, "
            "such as deploy-Mlops-{{ cluster_name }}"
            for (server, folder), names in folders
        ),
        *(
            f"{' and '.join(names)}: cluster_server: both are {server} with the namespace {namespace}; "
            "one cluster is one host of the inventory"
            for (server, namespace), names in servers
        ),
    ]


Identity = t.Callable[[t.Mapping[str, t.Any]], tuple[t.Any, t.Any]]


def pairs(clusters: t.Sequence[Host], identity: Identity) -> list[tuple[tuple[t.Any, t.Any], list[str]]]:
    """Identities that several clusters have, with the clusters' names."""
    owners: dict[tuple[t.Any, t.Any], list[str]] = {}
    for host in clusters:
        try:
            found = identity(host.values)
        except KeyError:
            continue
        if all(found) and PLACEHOLDER not in str(found):
            owners.setdefault(found, []).append(host.name)
    return [(found, names) for found, names in owners.items() if len(names) > 1]
