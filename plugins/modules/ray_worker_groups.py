#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of workers of a running RayService."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_worker_groups
short_description: Set the number of workers of a running RayService
version_added: 0.1.0
description:
  - The KubeRay operator takes another number of replicas in a RayService for no change, and leaves the running
    RayCluster as it is. This module sets it there.
  - Groups that the RayCluster does not have are left to the operator.
options:
  groups:
    description: The groups of workers.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of the group., type: str, required: true}
      replicas: {description: Number of workers., type: int, required: true}
      min_replicas: {description: The least that an autoscaler may choose., type: int, required: true}
      max_replicas: {description: The most that an autoscaler may choose., type: int, required: true}
extends_documentation_fragment:
  - mlops.platform.ray_service
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Nothing is changed.
    support: full
  diff_mode:
    description: The numbers of each group.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Run three workers
  mlops.platform.ray_worker_groups:
    groups:
      - {name: workers, replicas: 3, min_replicas: 3, max_replicas: 3}
"""

RETURN = r"""
clusters:
  description: Names of the RayClusters that were changed.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._ray import ConflictError, NotThereError, RayError
from ansible_collections.mlops.platform.plugins.module_utils._ray.service import Kube, Service
from ansible_collections.mlops.platform.plugins.module_utils._ray.state import Object
from ansible_collections.mlops.platform.plugins.module_utils._ray_kube import Params, argument_spec, kube_of

ATTEMPTS = 20  # of a write that collides with another one
NUMBERS = {"replicas": "replicas", "min_replicas": "minReplicas", "max_replicas": "maxReplicas"}
FIELDS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    **{name: {"type": "int", "required": True} for name in NUMBERS},
}
Numbers = dict[str, dict[str, t.Any]]


def numbers(cluster: Object) -> Numbers:
    """The numbers of each group of a RayCluster."""
    groups = cluster["spec"].get("workerGroupSpecs") or []
    return {group["groupName"]: {field: group.get(field) for field in NUMBERS.values()} for group in groups}


def wanted(cluster: Object, groups: t.Sequence[Params]) -> Numbers:
    """The numbers that the groups shall have."""
    given = {group["name"]: {field: group[name] for name, field in NUMBERS.items()} for group in groups}
    return {name: given.get(name, found) for name, found in numbers(cluster).items()}


def clusters(service: Object) -> list[str]:
    """The RayClusters of a RayService: the one that serves, and the one that is about to."""
    status = service.get("status") or {}
    found = [(status.get(part) or {}).get("rayClusterName") for part in ("activeServiceStatus", "pendingServiceStatus")]
    return [name for name in found if name]


def run(params: Params, check_mode: bool, kube: Kube) -> dict[str, t.Any]:
    """Set the numbers on each cluster."""
    collection = f"/apis/ray.io/v1/namespaces/{params['namespace']}/rayclusters"
    before: dict[str, Numbers] = {}
    after: dict[str, Numbers] = {}
    try:
        names = clusters(Service(kube, params["namespace"], params["service"]).read())
    except NotThereError:
        names = []
    for name in names:
        found = change(kube, f"{collection}/{name}", params["groups"], check_mode)
        if found:
            before[name], after[name] = found
    return {"changed": bool(after), "clusters": sorted(after), "diff": {"before": before, "after": after}}


def change(kube: Kube, path: str, groups: t.Sequence[Params], check_mode: bool) -> tuple[Numbers, Numbers] | None:
    """Set the numbers of one cluster; the numbers before and after, or None where nothing differs."""
    for _attempt in range(ATTEMPTS):
        cluster = kube.get(path, {})
        if cluster is None or numbers(cluster) == wanted(cluster, groups):
            return None
        before, after = numbers(cluster), wanted(cluster, groups)
        try:
            if not check_mode:
                kube.patch(path, {}, patch_of(cluster, after))
            return before, after
        except ConflictError:
            continue  # the operator wrote its status in between
    raise RayError(f"{path.rpartition('/')[2]}: the RayCluster was changed by others {ATTEMPTS} times; try again")


def patch_of(cluster: Object, found: Numbers) -> Object:
    """The change of a cluster, if it still is as it was read."""
    groups = [{**group, **found[group["groupName"]]} for group in cluster["spec"]["workerGroupSpecs"]]
    version = cluster["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version}, "spec": {"workerGroupSpecs": groups}}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    groups = {"type": "list", "elements": "dict", "required": True, "options": FIELDS}
    module = make(argument_spec={**argument_spec(), "groups": groups}, supports_check_mode=True)
    try:
        with kube_of(module.params) as kube:
            done = run(module.params, module.check_mode, kube)
    except RayError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**done)


if __name__ == "__main__":
    main()
