"""What is lost when parts of Ray are killed under 50 requests a second: make chaos-ray prints the table.

Goal: nothing, except that a client may have to send a request once more when a worker is lost.
"""

from __future__ import annotations

import time
import typing as t

import pytest
from e2e.platform import Platform, own_platform
from e2e.ray import PROBE, SMALL, WORKERS, Load, Ray, is_ready, platform_variables

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster
    from testinfra.host import Host

pytestmark = pytest.mark.full

ROLES = ("redis", "kuberay_operator", "ray_service")
TABLE: list[dict[str, t.Any]] = []
Numbers = dict[str, float]
APPLICATIONS = {"model-list": "RUNNING", "probe": "RUNNING"}


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """Redis, the operator and Ray, with the probe deployed."""
    with own_platform(cluster, "redis", "ray", **platform_variables(cluster)) as found:
        found.roles(*ROLES)
        yield found


@pytest.fixture(scope="module")
def ray(platform: Platform, image: t.Callable[[str], str]) -> Iterator[Ray]:
    """Ray with the probe, and a pod to ask it from."""
    found = Ray(platform.cluster, platform.namespace)
    found.start_client(image("ray"), "mlops-registry")
    deploy_probe(platform)
    found.wait(lambda: found.is_whole(2))
    yield found
    for row in TABLE:
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def deploy_probe(platform: Platform) -> None:
    platform.play("tests/e2e/ray_application.yml", ray_application=PROBE)


def measure(ray: Ray, name: str, fault: t.Callable[[], object], kept: int = 2) -> Load:
    """One fault under load; what it gives is for the table. Before and after it all is well, and that many replicas
    remember what they did.
    """
    ray.wait(lambda: ray.whole(2) == APPLICATIONS)
    # A cluster that was taken over from answers until its last worker is gone.
    ray.wait(lambda: len(ray.replicas()) == 2)
    before = ray.replicas()
    with Load(ray) as load:
        load.wait_running()
        started = time.monotonic()
        numbers = fault()
        # KubeRay's own list may be short for a moment: where it cannot ask Serve, it takes it for empty.
        ray.wait(lambda: ray.whole(2) == APPLICATIONS)
        seconds = time.monotonic() - started
    after = ray.replicas()
    TABLE.append(
        {
            "fault": f"{name:<28}",
            **load.row(),
            **(numbers if isinstance(numbers, dict) else {}),
            "whole after s": round(seconds, 1),
        }
    )
    # A client that stood still would lose nothing either.
    assert len(load.requests) >= 45 * seconds
    assert len(after) == len(before) == 2
    same = [replica for replica in before if replica in after]
    assert len(same) == kept
    assert all(after[replica]["started"] == before[replica]["started"] for replica in same)
    assert all(after[replica]["requests"] > before[replica]["requests"] for replica in same)
    return load


def delete(ray: Ray, kind: str, *options: str) -> Numbers:
    """Delete the first pod of a kind; the seconds until another one is ready in its place."""
    names = ray.names(kind)
    started = time.monotonic()
    ray.cluster.kubectl("delete", "pod", names[0], f"--namespace={ray.namespace}", *options)

    def replaced() -> bool:
        pods = ray.pods(kind)
        there = [pod["metadata"]["name"] for pod in pods]
        return names[0] not in there and len(there) == len(names) and all(is_ready(pod) for pod in pods)

    ray.wait(replaced)
    return {f"new {kind} ready after s": round(time.monotonic() - started, 1)}


def restart(ray: Ray, what: str, pod: str) -> None:
    """Delete the pod of a workload, and wait until the next one is ready."""
    old = ray.cluster.get("pods", f"--namespace={ray.namespace}", f"--selector={pod}")["items"][0]["metadata"]
    ray.cluster.kubectl("delete", "pod", old["name"], f"--namespace={ray.namespace}")
    ray.cluster.kubectl("rollout", "status", what, f"--namespace={ray.namespace}", "--timeout=300s", timeout=310)


def roll(platform: Platform, ray: Ray, **variables: t.Any) -> None:
    """Let a new cluster take over, until the old one is gone."""
    old = ray.ray_cluster()
    platform.roles("ray_service", **variables)
    assert ray.ray_cluster() != old
    ray.wait(lambda: not [name for kind in ("head", "worker") for name in ray.names(kind) if name.startswith(old)])


@pytest.mark.parametrize("number", range(1, 6))
def test_a_killed_head_loses_nothing(ray: Ray, number: int) -> None:
    load = measure(ray, f"head killed, {number}", lambda: delete(ray, "head", "--force", "--grace-period=0"))
    assert load.failed == []


@pytest.mark.parametrize("number", range(1, 4))
def test_a_deleted_worker_loses_nothing_that_is_sent_twice(ray: Ray, number: int) -> None:
    load = measure(ray, f"worker deleted, {number}", lambda: delete(ray, "worker"), kept=1)
    assert load.lost == []


def test_a_killed_worker_loses_nothing_that_is_sent_twice(ray: Ray) -> None:
    load = measure(ray, "worker killed", lambda: delete(ray, "worker", "--force", "--grace-period=0"), kept=1)
    assert load.lost == []


@pytest.mark.parametrize("number", range(1, 4))
def test_a_restart_of_redis_loses_nothing(ray: Ray, number: int) -> None:
    selector = "app.kubernetes.io/name=redis"
    load = measure(ray, f"Redis restarted, {number}", lambda: restart(ray, "statefulset/redis", selector))
    assert load.failed == []


def test_without_the_operator_nothing_is_lost(ray: Ray) -> None:
    selector = "app.kubernetes.io/name=kuberay-operator"
    load = measure(ray, "operator deleted", lambda: restart(ray, "deployment/kuberay-operator", selector))
    assert load.failed == []


def test_a_restart_of_the_nfs_server_loses_nothing(ray: Ray, nfs01: Host) -> None:
    load = measure(ray, "NFS server restarted", lambda: nfs01.check_output("systemctl restart nfs-ganesha"))
    assert load.failed == []


def test_a_new_cluster_takes_over_without_a_loss(platform: Platform, ray: Ray) -> None:
    workers = [{**WORKERS[0], "resources": {**SMALL, "limits": {"memory": "3100Mi"}}}]
    load = measure(ray, "roll: memory limit", lambda: roll(platform, ray, ray_service_workers=workers), kept=0)
    assert load.failed == []


def test_another_image_takes_over_without_a_loss(platform: Platform, ray: Ray, image: t.Callable[[str], str]) -> None:
    """The same image by its digest is another one for Kubernetes."""
    (head,) = ray.pods("head")
    digest = head["status"]["containerStatuses"][0]["imageID"]
    assert digest.startswith(image("ray").rsplit(":", 1)[0] + "@sha256:")
    load = measure(ray, "roll: same image, by digest", lambda: roll(platform, ray, ray_service_image=digest), kept=0)
    assert load.failed == []


def test_without_redis_a_killed_head_takes_everything_with_it(platform: Platform, ray: Ray) -> None:
    """The figure for the README: what fault tolerance is worth."""
    roll(platform, ray, ray_service_fault_tolerance=False)
    load = measure(
        ray, "head killed, without Redis", lambda: delete(ray, "head", "--force", "--grace-period=0"), kept=0
    )
    assert load.lost
