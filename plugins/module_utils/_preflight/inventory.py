# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What is wrong with an inventory as a whole. Nothing is connected to; values are those of the inventory alone."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import posixpath
import typing as t

from .._digest import KEY_LENGTH
from .values import Variable, fault

PLACEHOLDER = "CHANGE_ME"
ENVIRONMENTS = ("user", "desa", "test", "prod")
REQUIRED = {
    "cluster_name": "the cluster's name, which is also the name of its folder",
    "cluster_server": "the URL of its API server, such as https://prod01.example.org:6443",
    "cluster_node_networks": "the networks of its nodes, such as [10.20.0.0/24]",
    "mlops_environment": "the environment, such as prod",
    "storage_host": "the storage server's name in this inventory",
    "platform_master_key": f"at least {KEY_LENGTH} random characters, from a vault or the variable PLATFORM_MASTER_KEY",
}
PREFIXES = ("mlops_", "cluster_", "platform_", "object_store_")
FOREIGN = ("ansible_", "lab_", "vault_")
ALIKE = 0.88
LOCKED = "; give the vault's password with --ask-vault-pass or in the file that ANSIBLE_VAULT_PASSWORD_FILE names"


@dataclasses.dataclass(frozen=True)
class Host:
    """A host of the inventory: variables as they were written, and the values of those that matter here.

    ``values`` has those that every cluster needs and those that a role describes. One that could not be made is
    the exception's text in ``broken``.
    """

    name: str
    groups: frozenset[str] = frozenset()
    variables: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    values: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    broken: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def findings(
    hosts: t.Sequence[Host],
    known: t.AbstractSet[str],
    roles: t.Collection[str],
    table: t.Mapping[str, Variable],
) -> list[str]:
    """All that must be changed, one sentence each.

    ``known`` are the names of the collection's variables, ``table`` those whose values the roles describe.
    """
    clusters = [host for host in hosts if "storage" not in host.groups]
    return [
        *placeholders(hosts),
        *misspelt(hosts, known, roles),
        *missing(clusters),
        *short(clusters),
        *unmade(hosts),
        *wrong(hosts, table),
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
            if name not in host.broken and not host.values.get(name):
                found.append((host.name, f"{name}: it is missing; write {what}"))
    return by_message(found)


def short(clusters: t.Iterable[Host]) -> list[str]:
    """Master keys from which no password is derived."""
    name = "platform_master_key"
    return by_message(
        (host.name, f"{name}: it has {length} characters; give {REQUIRED[name]}")
        for host in clusters
        if 0 < (length := len(str(host.values.get(name) or "").strip())) < KEY_LENGTH
    )


def unmade(hosts: t.Iterable[Host]) -> list[str]:
    """Variables whose values cannot be made."""
    return by_message(
        (host.name, f"{name}: its value cannot be made: {why}{LOCKED if 'vault' in why.lower() else ''}")
        for host in hosts
        for name, why in sorted(host.broken.items())
    )


def wrong(hosts: t.Iterable[Host], table: t.Mapping[str, Variable]) -> list[str]:
    """Values that are not what the variable's role describes; a placeholder is named elsewhere."""
    return by_message(
        (host.name, said)
        for host in hosts
        for name, value in sorted(host.values.items())
        if name in table and name in host.variables and not places(name, value)
        for said in [fault(table[name], value)]
        if said
    )


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
    places_ = sorted(identities(clusters, folder))
    servers = sorted(identities(clusters, api_server))
    return [said for one, other in itertools.combinations(places_, 2) if (said := shared_folder(one, other))] + [
        f"{one.host} and {other.host}: cluster_server: both are {one.where} with the namespace {one.what}; "
        "one cluster is one host of the inventory"
        for one, other in itertools.combinations(servers, 2)
        if (one.where, one.what) == (other.where, other.what)
    ]


class Identity(t.NamedTuple):
    """What must be a cluster's own: something on a server."""

    host: str
    where: str
    what: str


def folder(values: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """The storage server and the folder of a cluster, in one spelling."""
    path = f"/{values['mlops_nfs_root']}/{values['mlops_nfs_folder']}"
    return values["storage_host"], "/" + posixpath.normpath(path).lstrip("/")


def api_server(values: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """The API server and the namespace of a cluster."""
    return str(values["cluster_server"]).rstrip("/"), values["mlops_namespace"]


def identities(
    clusters: t.Iterable[Host], of: t.Callable[[t.Mapping[str, t.Any]], tuple[str, str]]
) -> t.Iterator[Identity]:
    """What the clusters have, as far as the inventory says it."""
    for host in clusters:
        try:
            where, what = of(host.values)
        except KeyError:
            continue
        if where and what and PLACEHOLDER not in f"{where} {what}":
            yield Identity(host.name, where, what)


def shared_folder(one: Identity, other: Identity) -> str:
    """Why two clusters cannot have these folders; empty when they can."""
    outer, inner = sorted((one, other), key=lambda found: len(found.what))
    if one.where != other.where or not f"{inner.what}/".startswith(f"{outer.what}/"):
        return ""
    hint = "give each its own, such as deploy-Mlops-{{ cluster_name }}"
    if inner.what == outer.what:
        return f"{one.host} and {other.host}: mlops_nfs_folder: both have the folder {one.what} on {one.where}; {hint}"
    return f"{inner.host} and {outer.host}: mlops_nfs_folder: {inner.what} lies in {outer.what} on {one.where}; {hint}"
