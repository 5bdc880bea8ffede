# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Verdicts about one cluster: is it what the platform needs? Pure functions on what the API server said."""

from __future__ import annotations

import ipaddress
import re
import typing as t

OLDEST, NEWEST, TESTED = (1, 30), (1, 37), "1.36"
Object = t.Mapping[str, t.Any]


class Verdict(t.NamedTuple):
    """The result of one check: ok, warning, failed or skipped, with a sentence."""

    check: str
    status: str
    message: str

    @property
    def line(self) -> str:
        """The verdict as a line of text."""
        return f"{self.check}: {self.status}: {self.message}"


def version(found: Object) -> Verdict:
    """The version of Kubernetes; the input is the answer of /version."""
    text = str(found.get("gitVersion", ""))
    match = re.match(r"v?(\d+)\.(\d+)", text)
    if not match:
        return Verdict("version", "warning", f"the API server calls its version {text!r}; {span()} are supported")
    number = (int(match[1]), int(match[2]))
    if number < OLDEST:
        return Verdict(
            "version", "failed", f"Kubernetes {text} is too old; {span()} are supported: upgrade the cluster"
        )
    if number > NEWEST:
        return Verdict("version", "warning", f"Kubernetes {text} is newer than what this release knows; {span()}")
    return Verdict("version", "ok", f"Kubernetes {text}; {span()} are supported, {TESTED} is tested")


def span() -> str:
    """The supported versions in words."""
    return f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"


def addresses(nodes: t.Sequence[Object], networks: t.Sequence[str]) -> Verdict:
    """Whether the storage server lets every node mount."""
    try:
        known = [ipaddress.ip_network(network) for network in networks]
    except ValueError as error:
        return Verdict("node addresses", "failed", f"cluster_node_networks: {error}")
    nameless = [node["metadata"]["name"] for node in nodes if not internal(node)]
    if nameless:
        hint = "give its kubelet one (--node-ip) or its cloud provider's controller"
        return Verdict(
            "node addresses", "failed", f"{', '.join(nameless)}: no InternalIP, so nothing says who mounts; {hint}"
        )
    outside = [
        f"{node['metadata']['name']} ({address})"
        for node in nodes
        for address in internal(node)
        if not any(ipaddress.ip_address(address) in network for network in known)
    ]
    if outside:
        hint = f"add their network to cluster_node_networks ({', '.join(networks)}), or they cannot mount"
        return Verdict("node addresses", "failed", f"outside are {', '.join(outside)}; {hint}")
    return Verdict(
        "node addresses", "ok", f"{len(nodes)} node{'s' if len(nodes) != 1 else ''} in {', '.join(networks)}"
    )


def internal(node: Object) -> list[str]:
    """The internal addresses of a node, of the families that it has."""
    found = (node.get("status") or {}).get("addresses") or []
    return [item["address"] for item in found if item["type"] == "InternalIP"]


def storage(host: str, root: str, rc: int | None, said: str) -> Verdict:
    """The storage server, by the exit status of a look at its root: None is not reached, 3 no root, 4 no disk on it."""
    if rc is None:
        hint = "correct ansible_host, ansible_user or the key of it in the inventory"
        return Verdict("storage", "failed", f"{host} cannot be reached by SSH: {said}; {hint}")
    if rc == 0:
        return Verdict("storage", "ok", f"{host} answers and has {root}")
    if rc == 3:
        return Verdict("storage", "skipped", f"{host} answers; {root} is not there yet: playbooks/storage.yml makes it")
    if rc == 4:
        return Verdict("storage", "failed", f"{host} answers, but no disk is mounted at {root}: {said}; mount it first")
    return Verdict("storage", "failed", f"{host} answers, but {root} cannot be looked at: {said}")


def permissions(missing: t.Sequence[str]) -> Verdict:
    """What the user of the kubeconfig may not do."""
    if not missing:
        return Verdict("permissions", "ok", "all that the roles do is allowed")
    return Verdict(
        "permissions", "failed", f"the user of the kubeconfig may not: {'; '.join(missing)}; grant it in a ClusterRole"
    )


def images(broken: t.Mapping[str, str], known: int, pulled: int) -> Verdict:
    """Whether the images can be had; ``broken`` says why not, by image."""
    if broken:
        text = "; ".join(f"{name}: {why}" for name, why in sorted(broken.items()))
        hint = (
            "push them with playbooks/images.yml, or correct images_registry, the <role>_image or the registry's login"
        )
        return Verdict("images", "failed", f"{text}: {hint}")
    return Verdict("images", "ok", f"{pulled} pulled by a pod, {known} are here already")
