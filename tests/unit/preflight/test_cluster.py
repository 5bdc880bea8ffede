# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verdicts about a cluster, from what an API server says."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timezone

import pytest
from rendering import ROOT, objects, objects_of, role_file, templar

from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._preflight import (
    capacity,
    components,
    images,
    permissions,
    verdict,
)
from ansible_collections.mlops.platform.plugins.module_utils._preflight.amount import amount, of_pod
from ansible_collections.mlops.platform.plugins.module_utils._preflight.capacity import Demand, Room

OWN = ("mlops", "mlops-storage")


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("v1.29.9", "failed"),
        ("v1.30.0", "ok"),
        ("v1.36.3+k3s1", "ok"),
        ("v1.37.2", "ok"),
        ("v1.38.0", "warning"),
        ("v2.0.1", "warning"),
        ("unknown", "warning"),
    ],
)
def test_versions(version: str, status: str) -> None:
    assert verdict.version({"gitVersion": version}).status == status


def test_the_version_that_is_tested_is_the_one_of_the_lab() -> None:
    modules = (ROOT / "lab/go/kube/go.mod").read_text()
    assert re.findall(r"^require k8s\.io/kubernetes v(\d+\.\d+)", modules, re.MULTILINE) == [verdict.TESTED]


def node(name: str, address: str = "10.0.0.1", cpu: str = "4", memory: str = "8Gi", **spec: t.Any) -> dict[str, t.Any]:
    addresses = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]
    status = {"addresses": addresses, "allocatable": {"cpu": cpu, "memory": memory}}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


def pod(namespace: str, on: str, cpu: str, phase: str = "Running", **spec: t.Any) -> dict[str, t.Any]:
    containers = [{"image": "a", "resources": {"requests": {"cpu": cpu}, "limits": {"memory": "1Gi"}}}]
    return {
        "metadata": {"namespace": namespace},
        "spec": {"nodeName": on, "containers": containers, **spec},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("networks", "status", "words"),
    [
        (["10.0.0.0/24"], "ok", "2 nodes in 10.0.0.0/24"),
        (["10.0.0.1/32", "fd00::/64"], "failed", "outside are b (10.0.0.2)"),
        (["10.0.0.1/24"], "failed", "cluster_node_networks: 10.0.0.1/24 has host bits set"),
    ],
)
def test_nodes_outside_of_the_networks_are_named(networks: list[str], status: str, words: str) -> None:
    found = verdict.addresses([node("a"), node("b", "10.0.0.2")], networks)
    assert found.status == status
    assert words in found.message


def test_both_addresses_of_a_node_count() -> None:
    both = node("a")
    both["status"]["addresses"].append({"type": "InternalIP", "address": "fd00::7"})
    assert verdict.addresses([both], ["10.0.0.0/24"]).status == "failed"
    assert verdict.addresses([both], ["10.0.0.0/24", "fd00::/64"]).status == "ok"


def test_what_others_request_is_not_left_and_what_the_platform_requests_is() -> None:
    nodes = [node("a"), node("b", unschedulable=True), node("c", taints=[{"key": "x", "effect": "NoSchedule"}])]
    pods = [
        pod("mlops", "a", "1"),
        pod("other", "a", "1500m"),
        pod("other", "a", "2", "Succeeded"),
        pod("other", "b", "1"),
    ]
    taint = {"key": "x", "effect": "NoSchedule"}
    assert capacity.rooms(nodes, pods, OWN) == [
        Room("a", amount({"cpu": "2500m", "memory": "7Gi"}), taints=[]),
        Room("c", amount({"cpu": "4", "memory": "8Gi"}), taints=[taint]),
    ]


def test_a_pod_requests_as_much_as_its_largest_init_container() -> None:
    first = [{"resources": {"requests": {"cpu": "2"}}}]
    assert of_pod(pod("x", "a", "500m", initContainers=first)) == amount({"cpu": 2, "memory": "1Gi"})


@pytest.mark.parametrize(
    ("demands", "status", "words"),
    [
        ([Demand("redis", amount({"cpu": 1, "memory": "1Gi"}), 4)], "ok", "request 4 CPU and 4.0 GiB"),
        ([Demand("redis", amount({"cpu": 1, "memory": "1Gi"}), 5)], "failed", "the nodes have 4 CPU and 16.0 GiB left"),
        (
            [Demand("ray", amount({"cpu": "2500m"}), 1)],
            "failed",
            "ray requests 2.5 CPU and 0.0 GiB, and no node has that",
        ),
        ([Demand("ray", amount({"cpu": "2500m"}), 0)], "ok", "request 0 CPU"),
    ],
)
def test_capacity(demands: list[Demand], status: str, words: str) -> None:
    room = amount({"cpu": 2, "memory": "8Gi"})
    found = capacity.verdict(demands, [Room("a", room), Room("b", room)])
    assert found.status == status
    assert words in found.message


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        (1, "; a change of Ray's cluster needs 2 CPU and 0.0 GiB more for a while"),
        (2, "; a change of Ray's cluster needs 4 CPU and 0.0 GiB more for a while, which is not there"),
        (0, "the nodes have 4 CPU and 16.0 GiB for them"),
    ],
)
def test_the_room_for_a_second_cluster_of_ray_is_told(pods: int, words: str) -> None:
    room = amount({"cpu": 2, "memory": "8Gi"})
    ray = [Demand("ray_service", amount({"cpu": 2}), pods)]
    found = capacity.verdict(ray, [Room("a", room), Room("b", room)], ray)
    assert found.status == "ok"
    assert found.message.endswith(words)


GPU = [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
TAINTED = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("pods", "selector", "tolerations", "status", "words"),
    [
        (2, {"gpu": "yes"}, GPU, "ok", "request 2 CPU and 0.0 GiB and 2 nvidia.com/gpu"),
        (3, {"gpu": "yes"}, GPU, "failed", "request 3 CPU and 0.0 GiB and 3 nvidia.com/gpu, the nodes have 4 CPU"),
        (1, {"gpu": "yes"}, [], "failed", "ray: no node has the labels and takes the pods"),
        (1, {"gpu": "no"}, GPU, "failed", "ray: no node has the labels and takes the pods"),
        (1, {}, [], "failed", "ray requests 1 CPU and 0.0 GiB and 1 nvidia.com/gpu, and no node has that left"),
        (1, {}, [{"operator": "Exists"}], "ok", ""),
        (1, {}, [{"key": "gpu", "value": "no"}], "failed", "no node has that left"),
        (1, {}, [{"key": "gpu", "value": "yes", "effect": "NoExecute"}], "failed", "no node has that left"),
        (1, {}, [{"key": "gpu", "value": "yes"}], "ok", ""),
        (0, {"gpu": "no"}, [], "ok", "request 0 CPU"),
    ],
)
def test_gpus_are_counted_where_the_pods_may_run(
    pods: int, selector: dict[str, str], tolerations: list[dict[str, str]], status: str, words: str
) -> None:
    nodes = [
        Room("a", amount({"cpu": 64, "memory": "1Ti"})),
        Room("b", amount({"cpu": 4, "memory": "8Gi", "nvidia.com/gpu": 2}), {"gpu": "yes"}, TAINTED),
    ]
    each = amount({"cpu": 1, "nvidia.com/gpu": 1})
    found = capacity.verdict([Demand("ray", each, pods, selector, tolerations)], nodes)
    assert found.status == status, found.message
    assert words in found.message


def test_pods_that_share_a_few_nodes_are_added_up() -> None:
    nodes = [Room("a", amount({"cpu": 64})), Room("b", amount({"cpu": 4}), {"disk": "fast"})]
    both = [Demand(name, amount({"cpu": 2}), pods, {"disk": "fast"}) for name, pods in (("redis", 1), ("minio", 1))]
    assert capacity.verdict(both, nodes).status == "ok"
    found = capacity.verdict([*both, Demand("mlflow", amount({"cpu": 1}), 1, {"disk": "fast"})], nodes)
    assert found.status == "failed"
    assert "request 5 CPU and 0.0 GiB, the nodes have 4 CPU and 0.0 GiB left (b)" in found.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"redis_resources": {"requests": {"cpu": "two"}}}, "redis_resources: cpu: 'two' is no quantity"),
        ({"redis_resources": {"requests": {"cpu": 1}}, "redis_replicas": "three"}, "redis_replicas: 'three' is no num"),
        (
            {"redis_resources": {"requests": {"cpu": 1}}, "redis_workers": [{"resources": {"limits": {"cpu": "1x"}}}]},
            "redis_workers..resources: cpu: '1x' is no quantity",
        ),
    ],
)
def test_what_is_no_number_is_named(values: dict[str, t.Any], words: str) -> None:
    with pytest.raises(KubeError) as raised:
        components.demands("redis", values, 1)
    assert words in str(raised.value)


def test_no_replicas_are_no_pods() -> None:
    values = {"mlflow_replicas": 0, "mlflow_resources": {"requests": {"cpu": 1}}, "mlflow_workers": 4}
    assert [one.pods for one in components.demands("mlflow", values, 1)] == [0]


def test_a_node_without_an_address_is_named() -> None:
    bare = node("b")
    bare["status"]["addresses"] = [{"type": "ExternalIP", "address": "192.0.2.1"}]
    found = verdict.addresses([node("a"), bare], ["10.0.0.0/24"])
    assert found.status == "failed"
    assert found.message.startswith("b: no InternalIP")


@pytest.mark.parametrize(
    ("rc", "status", "words"),
    [
        (None, "failed", "nfs01 cannot be reached by SSH: no route; correct ansible_host"),
        (0, "ok", "nfs01 answers and has /bitnami"),
        (3, "skipped", "/bitnami is not there yet: playbooks/storage.yml makes it"),
        (4, "failed", "no disk is mounted at /bitnami: no route"),
        (1, "failed", "/bitnami cannot be looked at: no route"),
    ],
)
def test_the_storage_server(rc: int | None, status: str, words: str) -> None:
    found = verdict.storage("nfs01", "/bitnami", rc, "no route")
    assert found.status == status
    assert words in found.message


def test_missing_rights_are_listed_by_resource() -> None:
    rights = [
        permissions.Right("get", "", "pods/portforward", "mlops"),
        permissions.Right("create", "", "pods/portforward", "mlops"),
    ]
    rights.append(permissions.Right("list", "storage.k8s.io", "csidrivers"))
    assert permissions.grouped(rights) == [
        "get, create pods/portforward in mlops",
        "list csidrivers.storage.k8s.io of the cluster",
    ]


def test_the_port_forward_needs_get_and_create() -> None:
    rights = permissions.wanted(["mlops"], ["redis"])
    verbs = {right.verb for right in rights if right.resource == "pods/portforward"}
    assert verbs == {"get", "create"}


@pytest.mark.parametrize("role", ["postgresql", "redis", "minio", "mlflow", "kuberay_operator", "ray_service"])
def test_every_kind_that_a_role_makes_is_asked_for(role: str) -> None:
    known = {(right.group, right.resource) for right in permissions.wanted(["mlops"], [role], certificates=True)}
    for found in objects(role, **{f"{role}_tls": {"issuer": "internal"}}):
        group = found["apiVersion"].rpartition("/")[0]
        plural = found["kind"].lower() + ("es" if found["kind"] == "Ingress" else "s")
        plural = plural.replace("policys", "policies")
        assert (group, plural) in known, found["kind"]


def test_rights_are_asked_for_only_where_a_role_needs_them() -> None:
    def resources(*roles: str, certificates: bool = False) -> set[str]:
        return {right.resource for right in permissions.wanted(["mlops"], roles, certificates)}

    assert resources("redis") - resources() == {"endpointslices", "pods/portforward"}
    assert resources("kuberay_operator") - resources() == {"rayjobs", "raycronjobs"}
    assert resources(certificates=True) - resources() == {"certificates"}
    given = {right for right in permissions.wanted(["mlops"], ["csi_driver_nfs"]) if right.verb == "escalate"}
    assert {(right.resource, right.namespace) for right in given} == {("clusterroles", ""), ("roles", "mlops")}


LIMITS = {"cpu": 2, "memory": "4Gi"}


def test_images_and_pods_of_a_role() -> None:
    values = {
        "ray_service_state": "present",
        "ray_service_image": "registry/ray:1",
        "ray_service_resources": {"requests": {"cpu": 1}},
        "ray_service_workers": [
            {"name": "gpu", "gpus": 2, "replicas": 3, "resources": {"limits": {"cpu": 2, "memory": "4Gi"}}}
        ],
    }
    assert components.images("ray_service", values) == ["registry/ray:1"]
    assert components.demands("ray_service", values, 5) == [
        Demand("ray_service", amount({"cpu": 1}), 1),
        Demand("ray_service_workers.gpu", amount({"cpu": 2, "memory": "4Gi", "nvidia.com/gpu": 2}), 3),
    ]
    gone = {**values, "ray_service_state": "absent"}
    assert components.images("ray_service", gone) == components.demands("ray_service", gone, 5) == []


def test_the_image_of_an_exporter_is_needed_only_with_metrics() -> None:
    values: dict[str, t.Any] = {"redis_image": "redis", "redis_metrics_image": "exporter"}
    assert components.images("redis", values) == ["redis"]
    assert components.images("redis", {**values, "redis_metrics": {"enabled": True}}) == ["redis", "exporter"]
    assert "redis_metrics" in components.interesting("redis", ["redis_metrics"])


def test_a_driver_runs_on_every_node_and_its_resizer_may_be_left_out() -> None:
    values = {
        "csi_driver_nfs_manage": True,
        "csi_driver_nfs_resizer": False,
        "csi_driver_nfs_image": "nfsplugin",
        "csi_driver_nfs_resizer_image": "resizer",
        "csi_driver_nfs_replicas": 1,
        "csi_driver_nfs_resources": {"requests": {"cpu": "10m"}},
    }
    assert components.images("csi_driver_nfs", values) == ["nfsplugin"]
    demands = components.demands("csi_driver_nfs", values, 5)
    assert [(one.pods, one.each) for one in demands] == [(1, amount({"cpu": "30m"})), (5, amount({"cpu": "30m"}))]
    resized = {**values, "csi_driver_nfs_resizer": True}
    assert components.demands("csi_driver_nfs", resized, 5)[0].each == amount({"cpu": "40m"})
    assert components.images("csi_driver_nfs", {**values, "csi_driver_nfs_manage": False}) == []


ROLES_WITH_PODS = ["csi_driver_nfs", "postgresql", "redis", "minio", "mlflow", "kuberay_operator", "ray_service"]


@pytest.mark.parametrize("metrics", [False, True])
@pytest.mark.parametrize("role", ROLES_WITH_PODS)
def test_the_demands_of_a_role_are_what_its_templates_request(role: str, metrics: bool) -> None:
    given = {f"{role}_metrics": {"enabled": metrics}} if role != "csi_driver_nfs" else {f"{role}_resizer": metrics}
    engine = templar(role, **given)
    own = "[]" if role == "csi_driver_nfs" else f"__{role}_objects"  # the driver has templates only
    names = components.interesting(role, role_file(role, "defaults"))
    values = {name: engine.template(engine.available_variables[name]) for name in names}
    found = [one for obj in objects_of(role, own, "kube", **given) for one in pods_of(obj)]
    demands = components.demands(role, values, 1)
    assert capacity.total(demands) == capacity.total([Demand("", of_pod(pod), number) for pod, number in found])
    assert found


def pods_of(obj: dict[str, t.Any]) -> list[tuple[dict[str, t.Any], int]]:
    """Pod templates of an object, each with the number of its pods on a cluster of one node."""
    spec = obj.get("spec") or {}
    if obj["kind"] == "RayService":
        ray = spec["rayClusterConfig"]
        groups = [(group["template"], group["replicas"]) for group in ray["workerGroupSpecs"]]
        return [(ray["headGroupSpec"]["template"], 1), *groups]
    kinds = ("Deployment", "StatefulSet", "DaemonSet")
    return [(spec["template"], int(spec.get("replicas", 1)))] if obj["kind"] in kinds else []


def test_a_service_of_ones_own_runs_nowhere() -> None:
    values = {"redis_state": "present", "redis_image": "redis", "redis_external": "redis.example.com:6379"}
    assert components.images("redis", values) == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"waiting": {"reason": "ErrImagePull", "message": "not found"}}, "not found"),
        ({"waiting": {"reason": "ImagePullBackOff"}}, "ImagePullBackOff"),
        ({"waiting": {"reason": "ContainerCreating"}}, None),
        ({"terminated": {"reason": "StartError"}}, ""),
        ({"waiting": {"reason": "RunContainerError"}}, ""),
    ],
)
def test_the_outcome_of_a_pod(state: dict[str, t.Any], said: str | None) -> None:
    assert images.outcome({"status": {"containerStatuses": [{"state": state}]}}) == said


def test_a_pod_that_was_not_placed_says_nothing_yet() -> None:
    assert images.outcome({"status": {}}) is None


def test_an_image_is_here_when_every_node_has_it() -> None:
    names = [["r/a:1", "r/a@sha256:1"], ["r/b:1"]]
    both, one = ({"status": {"images": [{"names": some} for some in held]}} for held in (names, names[:1]))
    assert images.on_nodes([both, one]) == {"r/a:1", "r/a@sha256:1"}
    assert images.on_nodes([both, {"status": {}}]) == images.on_nodes([]) == set()


def test_only_namespaces_that_nobody_waits_for_any_more_are_removed() -> None:
    def namespace(name: str, made: str, **meta: str) -> dict[str, t.Any]:
        return {"metadata": {"name": name, "creationTimestamp": made, **meta}}

    found = [
        namespace("old", "2026-01-01T09:59:59Z"),
        namespace("going", "2026-01-01T09:00:00Z", deletionTimestamp="2026-01-01T11:00:00Z"),
        namespace("running", "2026-01-01T10:00:01Z"),
    ]
    assert images.abandoned(found, datetime(2026, 1, 1, 10, tzinfo=timezone.utc)) == ["old"]


def test_a_pod_that_no_node_takes_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: too busy"}
    assert images.unplaced({"status": {"conditions": [condition]}}) == "its pod cannot be placed: 0/1 nodes: too busy"
    assert images.unplaced({"status": {"conditions": [{**condition, "status": "True"}]}}) == ""
