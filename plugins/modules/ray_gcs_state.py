#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ray clusters that are gone left in Redis."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_gcs_state
short_description: Remove what Ray clusters that are gone left in Redis
version_added: 0.1.0
description:
  - A fault-tolerant Ray cluster keeps its state in Redis under keys that begin with C(RAY) and its own id. They stay
    when the cluster is removed, and nothing reads them again.
  - Removed are the keys of ids that no RayCluster of the Kubernetes cluster has, in whatever namespace. In a Redis that
    other Kubernetes clusters use too, O(key_prefix) tells its keys from theirs.
  - The pods of a cluster that was just removed write until they end. They are waited for.
options:
  namespace:
    description: Namespace of the Service and of O(secret).
    type: str
    default: mlops
  service:
    description: Service of Redis.
    type: str
    default: redis
  port:
    description: Port of the Service.
    type: int
    default: 6379
  endpoint:
    description: Address of an external Redis as host:port, which the controller reaches. Without it, the Service.
    type: str
  key_prefix:
    description: What the platform put before the id, as C(mlops_redis_key_prefix). Keys without it are left alone.
    type: str
    default: ""
  secret:
    description: Secret that holds the password under the key C(password).
    type: str
    default: redis
  wait_timeout:
    description: Seconds until the pods of removed clusters must have ended.
    type: int
    default: 120
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Nothing is removed. Without a Redis that answers there is nothing to remove.
    support: full
  diff_mode:
    description: The ids, with the number of their keys.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Remove what old Ray clusters left in Redis
  mlops.platform.ray_gcs_state:
    namespace: mlops
"""

RETURN = r"""
removed:
  description: Number of keys by the id of the Ray cluster that is gone.
  returned: always
  type: dict
  sample: {"0fb1b0e3-0a4a-4f53-a4c5-7c8f9b0d3a51": 9}
"""

import re
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.watch import Watch
from ansible_collections.mlops.platform.plugins.module_utils._login import secret_values
from ansible_collections.mlops.platform.plugins.module_utils._ray import RayError
from ansible_collections.mlops.platform.plugins.module_utils._ray_kube import KubeOf, Params, kube_of
from ansible_collections.mlops.platform.plugins.module_utils._redis import (
    Client,
    NotThereError,
    RedisError,
    connect,
    sign_in,
)
from ansible_collections.mlops.platform.plugins.module_utils._tunnel import NoPodError

KEY = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@")
CLUSTERS = "/apis/ray.io/v1/rayclusters"
PODS = "/api/v1/pods"
OF_RAY = {"labelSelector": "ray.io/cluster"}
SPEC: dict[str, dict[str, t.Any]] = {
    "namespace": {"type": "str", "default": "mlops"},
    "service": {"type": "str", "default": "redis"},
    "port": {"type": "int", "default": 6379},
    "endpoint": {"type": "str"},
    "key_prefix": {"type": "str", "default": "", "no_log": False},
    "secret": {"type": "str", "default": "redis", "no_log": False},
    "wait_timeout": {"type": "int", "default": 120},
}


def stale(keys: t.Iterable[str], living: t.Collection[str], prefix: str = "") -> dict[str, list[str]]:
    """The keys of clusters that do not live, by the cluster's id; of those with another prefix none."""
    own = f"RAY{prefix}-" if prefix else "RAY"
    found: dict[str, list[str]] = {}
    for key in sorted(set(keys)):
        match = KEY.match(key.removeprefix(own)) if key.startswith(own) else None
        if match and match[1] not in living:
            found.setdefault(match[1], []).append(key)
    return found


def all_keys(redis: Client) -> list[str]:
    """Every key that a Ray cluster made."""
    found: list[str] = []
    cursor = "0"
    while True:
        reply = t.cast("list[t.Any]", redis.command("SCAN", cursor, "MATCH", "RAY*", "COUNT", "500"))
        cursor = str(reply[0])
        found += reply[1]
        if cursor == "0":
            return found


def removable(redis: Client, kube: KubeOf, before: t.Collection[str], prefix: str) -> dict[str, list[str]]:
    """The keys that nobody reads any more: of clusters that were not there before, nor after the keys were read."""
    keys = all_keys(redis)
    return stale(keys, {*before, *living_clusters(kube)}, prefix)


def living_clusters(kube: KubeOf) -> set[str]:
    """The ids of all RayClusters."""
    return {item["metadata"]["uid"] for item in (kube.get(CLUSTERS, {}) or {}).get("items") or []}


def leftover(pods: t.Mapping[str, t.Mapping[str, t.Any]], living: t.Collection[str]) -> list[str]:
    """The names of pods whose Ray cluster is gone; the input is pods by uid."""
    return [
        pod["metadata"]["name"]
        for pod in pods.values()
        if any(owner["kind"] == "RayCluster" and owner["uid"] not in living for owner in owners(pod))
    ]


def owners(pod: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The owner references of a pod."""
    return t.cast("list[dict[str, t.Any]]", pod["metadata"].get("ownerReferences") or [])


def wait_for_pods(kube: KubeOf, living: t.Collection[str], seconds: float) -> None:
    """Return when no pod of a removed Ray cluster is left; a head writes to Redis until it ends."""
    pods: dict[str, t.Any] = {}
    end = time.monotonic() + seconds
    with Watch(kube.client) as watch:
        watch.follow("pods", PODS, OF_RAY)
        while (event := watch.next(end - time.monotonic())) is not None:
            if event.type == "FAILED":
                raise RayError(f"the pods of Ray cannot be watched: {event.object}")
            if event.type == "LISTED":
                pods = {pod["metadata"]["uid"]: pod for pod in event.object["items"]}
            elif event.type == "DELETED":
                pods.pop(event.object["metadata"]["uid"], None)
            else:
                pods[event.object["metadata"]["uid"]] = event.object
            if not leftover(pods, living):
                return
    names = ", ".join(leftover(pods, living)) or "the pods of Ray"
    raise RayError(f"{names}: their Ray cluster was removed {seconds:.0f} s ago and they have not ended; look why")


def run(params: Params, check_mode: bool, kube: KubeOf) -> dict[str, t.Any]:
    """Remove what nobody reads any more."""
    found: dict[str, list[str]] = {}
    try:
        password = secret_values(kube.client, params["namespace"], params["secret"], ["password"])[0]
        with connect({**params, "tls": False}) as redis:
            sign_in(redis, "default", [password])
            before = living_clusters(kube)
            if not check_mode:
                wait_for_pods(kube, before, params["wait_timeout"])
            found = removable(redis, kube, before, params["key_prefix"])
            for keys in () if check_mode else found.values():
                redis.command("UNLINK", *keys)
    except (NotThereError, NoPodError):
        if not check_mode:
            raise
    removed = {name: len(keys) for name, keys in found.items()}
    return {"changed": bool(found), "removed": removed, "diff": {"before": removed, "after": {}}}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    try:
        with kube_of(module.params) as kube:
            module.exit_json(**run(module.params, module.check_mode, kube))
    except (RayError, RedisError, KubeError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
