"""Platforms of a test's own, as an operator makes them: an inventory of hosts with namespaces, classes and folders."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import typing as t
from pathlib import Path

import yaml
from e2e.cluster import ROOT, Cluster
from e2e.runs import play

DEFAULTS = yaml.safe_load((ROOT / "roles" / "defaults" / "defaults" / "main.yml").read_text(encoding="utf-8"))
CLAIMING = sorted(name for name, row in DEFAULTS["mlops_components"].items() if "claim" in row)
# What Redis needs, and Redis. The driver is the cluster's.
TAGS = "nfs_exports,cluster_base,csi_driver_nfs,redis"


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Hosts on one API server that have nothing in common."""

    names: list[str]
    inventory: str

    def play(self, playbook: str, *options: str, check: bool = True) -> str:
        """Run a playbook on the hosts; its output."""
        limit = ",".join([*self.names, "storage"])
        return play(["inventories/lab", self.inventory], playbook, "--limit", limit, *options, check=check)

    def install(self, *options: str, check: bool = True) -> str:
        """Run site.yml for Redis and what it needs."""
        return self.play("site.yml", "--tags", TAGS, *options, check=check)

    def uninstall(self, *options: str, purge: bool = False, check: bool = True) -> str:
        """Run uninstall.yml with the confirmations."""
        names = ",".join(self.names)
        more = ["-e", "purge_data=true", "-e", f"confirm_purge={names}"] if purge else []
        return self.play("playbooks/uninstall.yml", "-e", f"confirm={names}", *more, *options, check=check)


def member(cluster: Cluster, name: str) -> dict[str, t.Any]:
    """Variables of a host that shares the cluster with others."""
    classes = {component: {"storage_class": f"{name}-{component}", "size": "1Gi"} for component in CLAIMING}
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "cluster_name": name,
        "cluster_kubeconfig": cluster.facts["kubeconfig"],
        "cluster_server": cluster.facts["server"],
        "cluster_node_networks": [f"{cluster.facts['address']}/32"],
        "mlops_namespace": name,
        "mlops_storage_namespace": f"{name}-storage",
        "mlops_components_override": classes,
        "csi_driver_nfs_manage": False,
        "csi_driver_nfs_claim_policy": False,
        "csi_driver_nfs_accept_unknown_version": True,
    }


@contextlib.contextmanager
def fleet(cluster: Cluster, folder: Path, size: int, **variables: t.Any) -> t.Iterator[Fleet]:
    """An inventory of so many hosts; variables are those of the first. All that they have is removed at the end."""
    mark = secrets.token_hex(3)
    hosts = {f"e2e-{mark}-{number}": member(cluster, f"e2e-{mark}-{number}") for number in range(size)}
    first = next(iter(hosts))
    hosts[first] |= variables
    file = folder / "fleet.json"
    file.write_text(json.dumps({"desa": {"hosts": hosts}}))
    found = Fleet(list(hosts), str(file))
    try:
        yield found
    finally:
        found.uninstall(purge=True)
