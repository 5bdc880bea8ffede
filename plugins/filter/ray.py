# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role ray_service makes of its variables: worker groups, the first Serve configuration, the NetworkPolicy."""

from __future__ import annotations

import hashlib
import json
import math
import re
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.component import component_labels
from ansible_collections.mlops.platform.plugins.module_utils._kube.quantity import value_of
from ansible_collections.mlops.platform.plugins.module_utils._ray import serve_config
from ansible_collections.mlops.platform.plugins.module_utils._ray.application import BUILT_IN, checked

VARIABLE = "ray_service_workers"
NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")
FIELDS = {
    "name", "replicas", "min_replicas", "max_replicas", "resources", "cpus", "gpus", "gpu_resource", "node_selector",
    "tolerations", "environment",
}  # fmt: skip
Object = dict[str, t.Any]
Group = dict[str, t.Any]


def ray_worker_groups(groups: t.Sequence[t.Mapping[str, t.Any]]) -> list[Group]:
    """The worker groups, checked and complete."""
    found = [_group(group, f"{VARIABLE}[{number}]") for number, group in enumerate(groups)]
    names = [group["name"] for group in found]
    for name in names:
        if names.count(name) > 1:
            raise AnsibleFilterError(f"{VARIABLE}: the name '{name}' is there twice; each group needs its own")
    if ray_workers(found) < 1:
        raise AnsibleFilterError(
            f"{VARIABLE}: there is no worker, and models run on workers only; give a group replicas"
        )
    return found


def _group(group: t.Mapping[str, t.Any], where: str) -> Group:
    unknown = sorted(set(group) - FIELDS)
    if unknown:
        raise AnsibleFilterError(f"{where}.{unknown[0]}: there is no such field; known are {', '.join(sorted(FIELDS))}")
    name = group.get("name") or ""
    if not NAME.fullmatch(name):
        raise AnsibleFilterError(f"{where}.name: '{name}' is not a name of up to 30 small letters, digits and -")
    replicas = _number(group, "replicas", 1, where)
    smallest, largest = (_number(group, f"{side}_replicas", replicas, where) for side in ("min", "max"))
    if not smallest <= replicas <= largest:
        raise AnsibleFilterError(
            f"{where}: replicas {replicas} is not from min_replicas {smallest} to max_replicas {largest}; correct them"
        )
    resources = _resources(group, where)
    tolerations = list(group.get("tolerations") or [])
    return {
        "name": name,
        "replicas": replicas,
        "min_replicas": smallest,
        "max_replicas": largest,
        "resources": resources,
        "cpus": _number(group, "cpus", _cpus(resources), where),
        "node_selector": dict(group.get("node_selector") or {}),
        "tolerations": tolerations,
        # The operator takes other tolerations for no change; as an annotation they make a new cluster.
        "annotations": {"mlops.platform/tolerations": _digest(tolerations)} if tolerations else {},
        "environment": [{"name": key, "value": str(value)} for key, value in (group.get("environment") or {}).items()],
    }


def _number(group: t.Mapping[str, t.Any], field: str, default: int, where: str) -> int:
    value = group.get(field, default)
    if isinstance(value, bool) or not str(value).isdecimal():
        raise AnsibleFilterError(f"{where}.{field}: '{value}' is not a whole number; correct it")
    return int(value)


def _resources(group: t.Mapping[str, t.Any], where: str) -> Object:
    """Requests and limits. Without them Ray would take all of the node for its own."""
    given = group.get("resources") or {}
    requests, limits = dict(given.get("requests") or {}), dict(given.get("limits") or {})
    if not requests.get("cpu") and not limits.get("cpu"):
        raise AnsibleFilterError(f"{where}.resources.requests.cpu: it is missing; Ray schedules replicas by it")
    for kind, values in (("requests", requests), ("limits", limits)):
        for name, value in values.items():
            if value_of(value) is None:
                raise AnsibleFilterError(f"{where}.resources.{kind}.{name}: '{value}' is not a quantity; correct it")
    if not limits.get("memory"):
        raise AnsibleFilterError(
            f"{where}.resources.limits.memory: it is missing; Ray would count on all of the node's"
        )
    if group.get("gpus"):
        limits[group.get("gpu_resource") or "nvidia.com/gpu"] = _number(group, "gpus", 0, where)
    return {**given, "requests": requests, "limits": limits} if requests else {**given, "limits": limits}


def _cpus(resources: Object) -> int:
    """How many CPUs Ray thinks it has: the limit, else the request, rounded up."""
    found = (resources.get("limits") or {}).get("cpu") or (resources.get("requests") or {}).get("cpu")
    return max(1, math.ceil(value_of(found) or 1))


def _digest(value: t.Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def ray_environment(
    environment: t.Sequence[Object], secrets: t.Mapping[str, t.Mapping[str, str]] | None = None
) -> list[Object]:
    """The environment of the pods: values as texts, and keys of Secrets, which may be missing; the values win."""
    found = []
    for name, source in (secrets or {}).items():
        if not source.get("secret") or not source.get("key"):
            raise AnsibleFilterError(f"ray_service_secret_environment.{name}: it needs secret and key; give both")
        reference = {"name": source["secret"], "key": source["key"], "optional": True}
        found.append({"name": name, "valueFrom": {"secretKeyRef": reference}})
    return ray_merged_environment(found, [{**item, "value": str(item["value"])} for item in environment])


def ray_merged_environment(environment: t.Sequence[Object], over: t.Sequence[Object]) -> list[Object]:
    """Both lists as one in which each name is there once; the second one is first in rank."""
    return list({item["name"]: item for item in [*environment, *over]}.values())


def ray_workers(groups: t.Sequence[Group]) -> int:
    """How many worker pods there shall be."""
    return sum(int(group["replicas"]) for group in groups)


def ray_model_list(workers: int) -> Object:
    """The platform's own application: a replica, and so a proxy, on every worker."""
    deployment = {
        "name": "ModelList",
        "num_replicas": workers,
        "max_replicas_per_node": 1,
        "max_ongoing_requests": 100,
        "graceful_shutdown_timeout_s": 5,
        # The kubelet asks it all the time.
        "logging_config": {"enable_access_log": False},
        # More than none: what needs nothing may land on the head.
        "ray_actor_options": {"num_cpus": 0.01},
    }
    entry = {"name": BUILT_IN, "import_path": "mlops_gate.app:build", "route_prefix": "/", "deployments": [deployment]}
    return checked(entry, [], workers, built_in=True)


def ray_serve_config(workers: int, port: int = 8000) -> str:
    """The configuration that a new RayService begins with."""
    return serve_config.dump(
        {
            "proxy_location": "EveryNode",
            "http_options": {"host": "0.0.0.0", "port": int(port)},  # noqa: S104 - the NetworkPolicy says who may connect
            "applications": [ray_model_list(workers)],
        }
    )


def ray_group_numbers(groups: t.Sequence[Group]) -> list[Group]:
    """What the module ray_worker_groups takes."""
    fields = ("name", "replicas", "min_replicas", "max_replicas")
    return [{field: group[field] for field in fields} for group in groups]


def ray_peers(namespaces: t.Sequence[str]) -> list[Object]:
    """Ray's pods in some namespaces, as peers of a NetworkPolicy."""
    pods = {"matchLabels": component_labels("ray")}
    return [
        {"podSelector": pods, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        for namespace in namespaces
    ]


def ray_network_policy(policies: t.Sequence[Object]) -> list[Object]:
    """The component's policy with what Ray needs besides: its pods talk to each other, and the operator to them."""
    ray = {"podSelector": {"matchLabels": component_labels("ray")}}
    operator = {"podSelector": {"matchLabels": component_labels("kuberay-operator")}, "namespaceSelector": {}}
    own = [
        {"from": [ray]},
        {"from": [operator], "ports": [{"port": port, "protocol": "TCP"} for port in (8265, 8000)]},
    ]
    found = []
    for policy in policies:
        spec = policy["spec"]
        changed = {"ingress": [*spec["ingress"], *own], "egress": [*spec["egress"], {"to": [ray]}]}
        found.append({**policy, "spec": {**spec, **changed}})
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "ray_worker_groups": ray_worker_groups,
            "ray_environment": ray_environment,
            "ray_merged_environment": ray_merged_environment,
            "ray_workers": ray_workers,
            "ray_model_list": ray_model_list,
            "ray_serve_config": ray_serve_config,
            "ray_group_numbers": ray_group_numbers,
            "ray_peers": ray_peers,
            "ray_network_policy": ray_network_policy,
        }
