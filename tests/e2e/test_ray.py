"""Ray on the lab: what is refused with which words, and who may change what."""

from __future__ import annotations

import json
import typing as t

import pytest
from e2e.platform import Platform, own_platform
from e2e.ray import PROBE, Ray, platform_variables

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster

pytestmark = pytest.mark.full

BROKEN = {"name": "broken", "import_path": "mlops_gate.nothing:build"}


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """Redis and the operator; Ray comes with the tests."""
    with own_platform(cluster, "redis", "ray", **platform_variables(cluster)) as found:
        found.roles("redis", "kuberay_operator")
        yield found


@pytest.fixture(scope="module")
def ray(platform: Platform) -> Ray:
    """Ray, with the probe deployed."""
    platform.roles("ray_service")
    deploy(platform, PROBE)
    return Ray(platform.cluster, platform.namespace)


def deploy(platform: Platform, application: dict[str, t.Any], **options: t.Any) -> str:
    """Deploy an application; the output of ansible-playbook."""
    return platform.play("tests/e2e/ray_application.yml", ray_application=application, **options)


def refused(platform: Platform, **variables: t.Any) -> str:
    """What the role says to variables that it does not take; nothing of Ray is made."""
    said = platform.roles("ray_service", check=False, **variables)
    assert "failed=1" in said
    return said


def objects(platform: Platform) -> list[str]:
    found = platform.cluster.kubectl("get", "rayservices,rayclusters", f"--namespace={platform.namespace}", "-o=name")
    return found.split()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"ray_service_ray_version": "2.59.0"},
            "but ray_service_ray_version is 2.59.0: correct the variable or the image",
        ),
        ({"ray_service_redis_address": "redis:6380"}, "Redis at redis:6380 does not answer"),
        ({"ray_service_redis_secret": "wrong"}, "refuses the password of its Secret: -WRONGPASS"),
        (
            {"ray_service_workers": [{"name": "workers", "replicas": 1, "resources": {"requests": {"cpu": 1}}}]},
            "ray_service_workers[0].resources.limits.memory: it is missing",
        ),
        ({"ray_service_workers": [{"name": "workers", "replicas": 1}]}, "missing required arguments: resources"),
    ],
)
def test_a_mistake_is_named_before_anything_is_made(
    platform: Platform, variables: dict[str, t.Any], words: str
) -> None:
    if "ray_service_redis_secret" in variables:
        secret = ("create", "secret", "generic", "wrong", "--from-literal=password=not-the-password")
        platform.cluster.kubectl(*secret, f"--namespace={platform.namespace}")
    assert words in refused(platform, **variables)
    assert objects(platform) == []


def test_a_second_run_changes_nothing(platform: Platform, ray: Ray) -> None:
    assert ray.applications() == {"model-list": "RUNNING", "probe": "RUNNING"}
    assert "changed=0" in platform.roles("ray_service")


@pytest.mark.parametrize(
    ("application", "words"),
    [
        (BROKEN, "No module named 'mlops_gate.nothing'"),
        ({**BROKEN, "route_prefix": "/probe"}, "/probe already belongs to the application 'probe'"),
        (
            {**PROBE, "name": "other", "runtime_env": {"working_dir": "/a/path"}},
            "Ray does not take the configuration: 400",
        ),
        ({**PROBE, "name": "other", "deployments": [{"name": "Nope"}]}, "Deployment 'Nope' does not exist"),
        ({**PROBE, "name": "other", "deployments": [{"name": "Probe", "num_replicas": 5}]}, "the service's 2 workers"),
    ],
)
def test_an_application_that_cannot_run_is_explained_and_leaves_nothing_behind(
    platform: Platform, ray: Ray, application: dict[str, t.Any], words: str
) -> None:
    before = ray.service()["spec"]["serveConfigV2"].strip()
    said = deploy(platform, application, check=False)
    assert "failed=1" in said
    assert words in said
    assert ray.service()["spec"]["serveConfigV2"].strip() == before


def test_a_broken_update_leaves_the_old_form_in_service(platform: Platform, ray: Ray, image: t.Any) -> None:
    ray.start_client(image("ray"), "mlops-registry")
    before = ray.replicas()
    assert "of before was put back" in deploy(platform, {**PROBE, "import_path": BROKEN["import_path"]}, check=False)
    ray.wait(lambda: ray.is_whole(2))
    assert set(ray.replicas()) == set(before)


def test_a_ray_cluster_that_is_removed_comes_back_with_its_applications(ray: Ray, image: t.Any) -> None:
    ray.start_client(image("ray"), "mlops-registry")
    ray.wait(lambda: ray.is_whole(2))
    old = ray.ray_cluster()
    ray.cluster.kubectl("delete", "raycluster", old, f"--namespace={ray.namespace}", timeout=300)
    ray.wait(lambda: ray.is_whole(2) and ray.ray_cluster() != old)
    assert ray.applications() == {"model-list": "RUNNING", "probe": "RUNNING"}
    assert len(ray.replicas()) == 2


def test_who_deploys_may_change_the_applications_and_nothing_else(ray: Ray) -> None:
    account = f"--as=system:serviceaccount:{ray.namespace}:notebook"

    def patch(body: dict[str, t.Any]) -> str:
        command = ["patch", "rayservice", "ray", "--type=merge", f"--patch={json.dumps(body)}", "--dry-run=server"]
        return ray.cluster.kubectl(*command, account, f"--namespace={ray.namespace}", check=False)

    config = ray.service()["spec"]["serveConfigV2"]
    assert "patched" in patch({"spec": {"serveConfigV2": config + "\n"}})
    for body in (
        {"spec": {"rayClusterConfig": {"rayVersion": "2.59.0"}}},
        {"spec": {"excludeHeadPodFromServeSvc": False}},
        {"metadata": {"annotations": {"a": "b"}}},
    ):
        assert "may change spec.serveConfigV2 of a RayService and nothing else" in patch(body)
    for what in ("secrets", "pods", "rayclusters"):
        answer = ray.cluster.kubectl("auth", "can-i", "get", what, account, f"--namespace={ray.namespace}", check=False)
        assert answer.strip() == "no"
