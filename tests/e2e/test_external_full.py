"""An object store and a Redis of others, which another namespace stands for; exposures that the lab cannot serve."""

from __future__ import annotations

import os
import re
import typing as t

import pytest
from e2e.databases import minio, redis, secret
from e2e.platform import Platform, own_platform
from e2e.ray import Ray, platform_variables
from e2e.tracking import tracking

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.cluster import Cluster

pytestmark = pytest.mark.full

BUCKET = "team"
OUTSIDE = {"type": "load_balancer", "class": "example.org/balancer", "from": ["192.0.2.0/24"]}
WEB = {"type": "ingress", "class": "nginx", "host": "platform.example.org", "tls_secret": "platform-tls"}


@pytest.fixture(scope="module")
def others(cluster: Cluster) -> Iterator[Platform]:
    """The servers of somebody else, with a bucket."""
    with own_platform(cluster, "redis", "minio") as found:
        found.roles()
        with minio(found) as client:
            client.make_bucket(BUCKET)
        yield found


@pytest.fixture(scope="module")
def store(others: Platform) -> dict[str, str]:
    """The variables that name their object store."""
    root = secret(others, "minio")
    return {
        "object_store_type": "external",
        "object_store_endpoint": f"http://minio.{others.namespace}.svc.cluster.local:9000",
        "object_store_bucket": BUCKET,
        "object_store_access_key": root["root_user"],
        "object_store_secret_key": root["root_password"],
    }


@pytest.fixture(scope="module")
def platform(cluster: Cluster, store: dict[str, str]) -> Iterator[Platform]:
    """MLflow with an object store of others."""
    with own_platform(cluster, "postgresql", **store) as found:
        found.roles("postgresql", "minio", "mlflow")
        yield found


def test_artifacts_lie_in_the_store_of_others_below_environment_and_cluster(
    platform: Platform, others: Platform
) -> None:
    stored = os.urandom(1 << 20)
    with tracking(platform) as client:
        assert client.read(client.log("external", stored)) == ({"loss": 0.25}, stored)
    with minio(others) as client:
        names = [str(found.object_name) for found in client.list_objects(BUCKET, recursive=True)]
    assert names
    assert [name for name in names if not re.match(rf"[a-z]+/{platform.cluster.name}/", name)] == []
    services = platform.cluster.get("services", f"--namespace={platform.namespace}")["items"]
    assert sorted(service["metadata"]["name"] for service in services) == ["mlflow", "postgresql"]
    assert "changed=0" in platform.roles("postgresql", "minio", "mlflow")


def test_ray_keeps_its_state_in_the_redis_of_others_under_the_clusters_name(cluster: Cluster, others: Platform) -> None:
    server = f"redis.{others.namespace}.svc.cluster.local:6379"
    variables = {"mlops_redis_external": server, "redis_password": secret(others, "redis")["password"]}
    before = set(redis(others, "--scan").split())
    with own_platform(cluster, "ray", **platform_variables(cluster), **variables) as platform:
        platform.roles("redis", "kuberay_operator", "ray_service")
        assert Ray(cluster, platform.namespace).applications() == {"model-list": "RUNNING"}
        keys = set(redis(others, "--scan").split()) - before
        assert keys
        assert [key for key in keys if not key.startswith(f"RAY{cluster.name}-")] == []
        pods = cluster.get("statefulsets", f"--namespace={platform.namespace}")["items"]
        assert pods == [], "no Redis of its own"


def test_the_server_takes_what_is_exposed_by_balancers_and_ingresses(platform: Platform, others: Platform) -> None:
    """The lab has neither of the two controllers: their objects are sent to the API server in check mode."""
    exposed = {f"{role}_exposure": OUTSIDE for role in ("postgresql", "redis")}
    exposed |= {f"{role}_exposure": WEB for role in ("mlflow", "minio")}
    for one, roles in ((platform, ["postgresql", "mlflow"]), (others, ["redis", "minio"])):
        said = one.play("tests/e2e/roles.yml", "--check", "--diff", roles_under_test=roles, **exposed)
        for words in ("type: LoadBalancer", "loadBalancerClass: example.org/balancer", "kind: Ingress", WEB["host"]):
            assert words in said, words
        assert "failed=0" in said
        assert "not verified" not in said
