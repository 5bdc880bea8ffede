# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Names, folders and addresses of one lab instance, computed from its name, its subnet and its clusters' slots.

An instance owns one /16. Its first /24 holds the machines: .1 the host (gateway, registry), .2 the storage machine,
.16 + slot the node of a cluster. Pods of a cluster live in the /24 number 16 + slot, Services in number 128 + slot.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
import zlib

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError

ENVIRONMENTS = ("user", "desa", "test", "prod")
SLOTS = 100
# Others that Python calls private lead nowhere, or to the machine itself.
PRIVATE = tuple(ipaddress.IPv4Network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
DEFAULT_CLUSTER = "desa01"
NAME = re.compile(r"^[a-z][a-z0-9]{0,15}$")
CLUSTER = re.compile(rf"^(?P<environment>{'|'.join(ENVIRONMENTS)})[0-9]{{2}}$")


def default_subnet(name: str, taken: t.Container[str] = ()) -> str:
    """The /16 of an instance, spread by its name over 10.64 to 10.127 without the ranges that clusters often use; the
    next one where another instance has it."""
    first = zlib.crc32(name.encode())
    subnets = [f"10.{64 + (first + step) % 64}.0.0/16" for step in range(64)]
    return next((subnet for subnet in subnets if subnet not in taken), subnets[0])


def check_name(name: str) -> None:
    if not NAME.match(name):
        raise LabError(
            f"LAB_NAME={name!r} is not usable: give 1 to 16 lower-case letters and digits, beginning with a letter"
        )


def check_clusters(clusters: t.Sequence[str]) -> None:
    for cluster in clusters:
        if not CLUSTER.match(cluster):
            raise LabError(
                f"LAB_CLUSTERS has {cluster!r}: a cluster is named by its environment and two digits, such as desa01 "
                f"(environments: {', '.join(ENVIRONMENTS)})"
            )
    twice = sorted({c for c in clusters if list(clusters).count(c) > 1})
    if twice:
        raise LabError(f"LAB_CLUSTERS names {', '.join(twice)} twice: name each cluster once")


def check_subnet(subnet: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(subnet)
    except ValueError as error:
        raise LabError(f"LAB_SUBNET={subnet!r} is not an IPv4 network: {error}; give a private /16") from error
    if network.prefixlen != 16 or not any(network.subnet_of(private) for private in PRIVATE):
        raise LabError(f"LAB_SUBNET={subnet!r} must be a private /16, such as 10.77.0.0/16")
    return network


def assign_slots(taken: t.Mapping[str, int], clusters: t.Sequence[str]) -> dict[str, int]:
    """Slots of all clusters that are or were asked for: a cluster keeps its slot, a new one gets the lowest free."""
    slots = dict(taken)
    for cluster in clusters:
        if cluster not in slots:
            free = next((number for number in range(SLOTS) if number not in slots.values()), None)
            if free is None:
                raise LabError(f"LAB_CLUSTERS: an instance has room for {SLOTS} clusters, and {cluster} is one more")
            slots[cluster] = free
    return slots


def _network(destination: str, mask: str) -> str:
    address, netmask = (ipaddress.IPv4Address(int(word, 16).to_bytes(4, "little")) for word in (destination, mask))
    return str(ipaddress.IPv4Network(f"{address}/{netmask}"))


def routes(table: str) -> list[tuple[str, str]]:
    """The (network, interface) pairs of /proc/net/route, whose numbers are hexadecimal and little-endian."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return [(_network(row[1], row[7]), row[0]) for row in rows]


def overlapping(subnet: str, found: t.Iterable[tuple[str, str]], own: t.Container[str]) -> str | None:
    """The first of the host's (network, interface) routes that overlaps the subnet and is not the instance's own."""
    wanted = ipaddress.IPv4Network(subnet)
    for name, interface in found:
        network = ipaddress.IPv4Network(name)
        # A network that holds everything is the default route, or its two halves.
        if interface not in own and network.prefixlen > 1 and wanted.overlaps(network):
            return f"{name} on {interface}"
    return None


def instance_id(name: str) -> str:
    """Six hexadecimal digits: short enough for interface names (15 characters at most)."""
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def _machine(name: str, lab_name: str, index: int, prefix: str) -> dict[str, str]:
    return {
        "name": name,
        "netns": f"{lab_name}-{name}",
        "veth": f"lv{instance_id(lab_name)}-{index}",
        "address": f"{prefix}.0.{index}",
    }


USERS = {
    "admin": ("lab-admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "kubelet": ("system:node:{node}", "system:nodes"),
    "apiserver-kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
}


def certificates(node: str, address: str, service_ip: str) -> list[dict[str, t.Any]]:
    """Certificates of a cluster's parts, as lab_pki takes them."""
    service = ["kubernetes", "default", "svc", "cluster", "local"]
    names = [".".join(service[:count]) for count in (1, 2, 3, 5)]
    server = {
        "name": "kube-apiserver",
        "common_name": "kube-apiserver",
        "sans": [*names, "localhost", "127.0.0.1", address, service_ip],
    }
    users = [
        {
            "name": user,
            "common_name": common_name.format(node=node),
            "organization": organization,
            "sans": [node, address] if user == "kubelet" else [user],
        }
        for user, (common_name, organization) in USERS.items()
    ]
    return [server, *users]


def kubeconfigs(cluster: str, server: str, etc: str, admin: str) -> list[dict[str, str]]:
    """Kubeconfigs of the cluster's parts below its etc folder, and the administrator's in the checkout."""
    paths = {user: f"{etc}/{user}.kubeconfig" for user in USERS if user != "apiserver-kubelet-client"}
    paths["admin"] = admin
    return [{"certificate": user, "path": path, "cluster": cluster, "server": server} for user, path in paths.items()]


def _cluster(
    name: str, slot: int, lab_name: str, prefix: str, folders: tuple[str, str], checkout: str
) -> dict[str, t.Any]:
    match = CLUSTER.match(name)
    assert match is not None
    machine = _machine(name, lab_name, 16 + slot, prefix)
    server, service_ip = f"https://{machine['address']}:6443", f"{prefix}.{128 + slot}.1"
    state_dir, run_dir = (f"{folder}/{name}" for folder in folders)
    kubeconfig = f"{checkout}/.lab/{name}.kubeconfig"
    return {
        **machine,
        "environment": match["environment"],
        "server": server,
        "kubeconfig": kubeconfig,
        "kubeconfigs": kubeconfigs(name, server, f"{state_dir}/etc", kubeconfig),
        "certificates": certificates(name, machine["address"], service_ip),
        "pod_cidr": f"{prefix}.{16 + slot}.0/24",
        "service_cidr": f"{prefix}.{128 + slot}.0/24",
        "dns_ip": f"{prefix}.{128 + slot}.10",
        "state_dir": state_dir,
        "run_dir": run_dir,
        "cgroup": f"/{lab_name}-{name}",
    }


def layout(name: str, subnet: str, slots: t.Mapping[str, int], checkout: str, cache_dir: str) -> dict[str, t.Any]:
    """Everything that the lab's roles need to know of the instance; see the module's text for the address plan."""
    prefix = subnet.rsplit(".", 2)[0]
    folders = f"/var/lib/mlops-lab/{name}", f"/run/mlops-lab/{name}"
    storage = {**_machine("nfs01", name, 2, prefix), "dns_name": f"nfs01.{name}.lab"}
    clusters = {c: _cluster(c, slot, name, prefix, folders, checkout) for c, slot in sorted(slots.items())}
    return {
        "name": name,
        "checkout": checkout,
        "cache_dir": cache_dir,
        "state_dir": folders[0],
        "run_dir": folders[1],
        "subnet": subnet,
        "gateway": f"{prefix}.0.1",
        "bridge": f"lb{instance_id(name)}",
        "nft_table": f"lab_{name}",
        "registry": f"{prefix}.0.1:5000",
        "storage": storage,
        "clusters": clusters,
        "machines": [{key: m[key] for key in ("netns", "veth", "address")} for m in (storage, *clusters.values())],
    }
