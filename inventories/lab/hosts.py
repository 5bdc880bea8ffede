#!/usr/bin/env python3
"""Inventory of the lab: its storage machine and its clusters, as `make lab` recorded them in .lab/lab.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTROLLER = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def cluster_vars(cluster: dict) -> dict:
    """Host variables of one cluster."""
    return {
        **CONTROLLER,
        "cluster_name": cluster["name"],
        "cluster_kubeconfig": cluster["kubeconfig"],
        "cluster_server": cluster["server"],
        "cluster_node_networks": [f"{cluster['address']}/32"],
        "cluster_kubelet_dir": f"{cluster['state_dir']}/kubelet",
    }


def storage_vars(lab: dict) -> dict:
    """Host variables of the storage machine."""
    storage = f"{lab['state_dir']}/storage"
    known_hosts = f"-o UserKnownHostsFile={storage}/known_hosts -o StrictHostKeyChecking=yes"
    return {
        "ansible_host": lab["storage"]["address"],
        "ansible_user": "root",
        "ansible_ssh_private_key_file": f"{storage}/ssh_key",
        "ansible_ssh_common_args": known_hosts,
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def inventory(lab: dict) -> dict:
    """The whole inventory in the form that Ansible expects of a script."""
    hostvars = {name: cluster_vars(cluster) for name, cluster in lab["clusters"].items()}
    hostvars[lab["storage"]["name"]] = storage_vars(lab)
    groups: dict = {"storage": {"hosts": [lab["storage"]["name"]]}}
    for environment in ("user", "desa", "test", "prod"):
        members = [name for name, cluster in lab["clusters"].items() if cluster["environment"] == environment]
        groups[environment] = {"hosts": members, "vars": {"mlops_environment": environment}}
    facts = {
        "lab_name": lab["name"],
        "lab_state_dir": lab["state_dir"],
        "lab_cache_dir": lab["cache_dir"],
        "lab_registry": lab["registry"],
        "lab_images": lab["images"],
        "lab_storage_dns_name": lab["storage"]["dns_name"],
    }
    return {**groups, "all": {"vars": facts}, "_meta": {"hostvars": hostvars}}


def main() -> int:
    """Print the inventory; 1 where there is no lab."""
    record = ROOT / ".lab" / "lab.json"
    if not record.exists():
        print("inventories/lab: no lab was made from this checkout; run 'make lab' first", file=sys.stderr)
        return 1
    print(json.dumps(inventory(json.loads(record.read_text(encoding="utf-8"))), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
