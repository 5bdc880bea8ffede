"""Who reaches whom under the policies that the roles make. The lab does not enforce them, so this is their test."""

from __future__ import annotations

import functools
import typing as t
from urllib.parse import urlsplit

import pytest
from reachability import Peer, reaches
from rendering import CLUSTER, ROLES, Object, objects, objects_of

# What each component connects to. A role that is not here has no policy to test.
NEEDS: dict[str, set[str]] = {
    "postgresql": set(),
    "redis": set(),
    "minio": set(),
    "mlflow": {"postgresql", "minio"},
}
PORTS = {"postgresql": 5432, "redis": 6379, "minio": 9000, "mlflow": 5000}
PRESENT = [name for name in NEEDS if (ROLES / name).is_dir()]
OUTSIDE = Peer(address="203.0.113.9")
STRANGER = Peer({"app": "notebook"})
DNS = Peer({"k8s-app": "kube-dns"}, namespace="kube-system")


def policies(found: t.Sequence[Object]) -> list[Object]:
    return [item for item in found if item["kind"] == "NetworkPolicy"]


def pods(found: t.Sequence[Object]) -> list[Peer]:
    """The pods of all workloads of a role."""
    templates = [item["spec"]["template"] for item in found if "template" in item.get("spec", {})]
    return [Peer(template["metadata"]["labels"]) for template in templates]


@functools.cache
def platform() -> tuple[list[Object], dict[str, list[Peer]]]:
    """All policies together, and the pods of each component."""
    rendered = {role: objects(role) for role in PRESENT}
    return [item for found in rendered.values() for item in policies(found)], {
        role: pods(found) for role, found in rendered.items()
    }


@pytest.mark.parametrize("source", PRESENT)
@pytest.mark.parametrize("target", PRESENT)
def test_a_component_reaches_what_it_needs_and_nothing_else(source: str, target: str) -> None:
    rules, found = platform()
    server = found[target][0]
    for client in found[source]:
        assert reaches(rules, client, server, PORTS[target]) is (target in NEEDS[source])
        assert not reaches(rules, client, server, 22)


@pytest.mark.parametrize("target", PRESENT)
def test_others_reach_a_component_only_when_they_say_that_they_use_it(target: str) -> None:
    rules, found = platform()
    server = found[target][0]
    user = {f"mlops.platform/uses-{target}": "true"}
    assert reaches(rules, Peer(user), server, PORTS[target])
    for other in (STRANGER, OUTSIDE, Peer(user, namespace="elsewhere")):
        assert not reaches(rules, other, server, PORTS[target])


@pytest.mark.parametrize("role", PRESENT)
def test_names_are_looked_up_by_those_who_connect_to_others(role: str) -> None:
    rules, found = platform()
    for pod in found[role]:
        assert reaches(rules, pod, DNS, 53, "UDP") is bool(NEEDS[role])
        assert not reaches(rules, pod, OUTSIDE, 443)


@pytest.mark.parametrize("role", PRESENT)
@pytest.mark.parametrize("networks", [[], ["203.0.113.0/24"], ["198.51.100.0/24"]])
def test_an_exposure_lets_its_networks_in(role: str, networks: list[str]) -> None:
    found = objects(role, **{f"{role}_exposure": {"type": "load_balancer", "from": networks}})
    assert reaches(policies(found), OUTSIDE, pods(found)[0], PORTS[role]) is (networks != ["198.51.100.0/24"])


@pytest.mark.parametrize("role", PRESENT)
@pytest.mark.parametrize("kind", ["node_port", "load_balancer"])
def test_the_policy_sees_the_client_where_networks_are_named(role: str, kind: str) -> None:
    def traffic(networks: list[str]) -> str | None:
        found = objects(role, **{f"{role}_exposure": {"type": kind, "from": networks}})
        (outer,) = [item for item in found if item["metadata"]["name"].endswith("-external")]
        policy: str | None = outer["spec"].get("externalTrafficPolicy")
        return policy

    assert traffic(["203.0.113.0/24"]) == "Local"
    assert traffic([]) is None


@pytest.mark.parametrize(("role", "port"), [("minio", 9000), ("mlflow", 8080), ("postgresql", 9187), ("redis", 9121)])
def test_metrics_open_no_door_to_every_namespace(role: str, port: int) -> None:
    found = objects(role, **{f"{role}_metrics": {"enabled": True}})
    server = pods(found)[0]
    assert reaches(policies(found), Peer(namespace="monitoring"), server, port)
    for other in (Peer(namespace="elsewhere"), STRANGER, OUTSIDE):
        assert not reaches(policies(found), other, server, port)
    peer = {"namespaceSelector": {"matchLabels": {"team": "watch"}}}
    named = policies(objects(role, **{f"{role}_metrics": {"enabled": True, "from": [peer]}}))
    assert reaches(named, Peer(namespace="x", namespace_labels={"team": "watch"}), server, port)
    assert not reaches(named, Peer(namespace="monitoring"), server, port)


@pytest.mark.parametrize("role", PRESENT)
def test_more_peers_are_let_in_by_the_users_list(role: str) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"team": "blue"}}}
    found = objects(role, **{f"{role}_network_policy": {"from": [peer]}})
    server = pods(found)[0]
    assert reaches(policies(found), Peer(namespace="x", namespace_labels={"team": "blue"}), server, PORTS[role])
    assert not reaches(policies(found), Peer(namespace="x", namespace_labels={"team": "red"}), server, PORTS[role])


# Who gives figures to Prometheus, and where.
METRICS = {"minio": 9000, "mlflow": 8080}
PROMETHEUS = Peer({"app": "prometheus"}, namespace="monitoring")


@pytest.mark.parametrize(("role", "port"), METRICS.items())
def test_metrics_are_read_by_those_who_may_and_only_when_they_are_asked_for(role: str, port: int) -> None:
    def read(who: Peer, at: int = port, **settings: t.Any) -> bool:
        found = objects(role, **{f"{role}_metrics": settings})
        return reaches(policies(found), who, pods(found)[0], at)

    scraper = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert not read(PROMETHEUS, enabled=False)
    assert read(PROMETHEUS, enabled=True)
    assert not read(OUTSIDE, enabled=True)
    assert read(PROMETHEUS, **{"enabled": True, "from": scraper})
    assert not read(STRANGER, **{"enabled": True, "from": scraper})
    others = {*PORTS.values(), 22} - {port}
    assert not any(read(PROMETHEUS, other, enabled=True) for other in others)


def database_job(**variables: t.Any) -> list[Object]:
    return objects_of("mlflow", "__mlflow_database_objects", "database", **variables)


def test_the_job_of_mlflows_databases_reaches_them_and_the_api_server_and_nobody_reaches_it() -> None:
    rules, found = platform()
    rendered = database_job()
    (job,) = pods(rendered)
    rules = [*rules, *policies(rendered)]
    for target in PRESENT:
        assert reaches(rules, job, found[target][0], PORTS[target]) is (target == "postgresql")
        assert not any(reaches(rules, found[target][0], job, port) for port in (PORTS[target], 22))
    assert reaches(rules, job, DNS, 53, "UDP")
    server = urlsplit(CLUSTER["cluster_server"]).port or 0
    assert [port for port in (22, 443, 5432, server) if reaches(rules, job, OUTSIDE, port)] == [443, server]
    user = Peer({"mlops.platform/uses-mlflow": "true", "mlops.platform/uses-mlflow-database": "true"})
    assert not any(reaches(rules, other, job, 22) for other in (user, STRANGER, OUTSIDE))


def test_the_job_is_no_server_of_mlflow() -> None:
    """A user of MLflow is not led to the Job's pod, and the Job stops the servers and not itself."""
    (job,) = pods(database_job())
    found = objects("mlflow")
    selectors = [item["spec"]["selector"] for item in found if item["kind"] == "Service"]
    assert selectors
    assert not [selector for selector in selectors if selector.items() <= job.labels.items()]


def test_the_policy_of_the_job_goes_with_that_of_the_servers() -> None:
    assert policies(database_job(mlflow_network_policy={"enabled": False})) == []


@pytest.mark.parametrize("role", PRESENT)
def test_a_policy_can_be_switched_off(role: str) -> None:
    assert policies(objects(role, **{f"{role}_network_policy": {"enabled": False}})) == []


def test_without_a_policy_everything_is_reachable() -> None:
    assert reaches([], STRANGER, Peer({"a": "b"}), 1)


def test_blocks_ports_and_namespaces_are_told_apart() -> None:
    spec = {
        "podSelector": {"matchLabels": {"app": "a"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                "ports": [{"port": 80, "endPort": 90}],
            }
        ],
    }
    rules = [{"metadata": {"name": "a"}, "spec": spec}]
    server = Peer({"app": "a"})
    reached = {
        (address, port): reaches(rules, Peer(address=address), server, port)
        for address in ("10.2.0.1", "10.1.0.1", "11.0.0.1")
        for port in (80, 90, 91)
    }
    assert [key for key, value in reached.items() if value] == [("10.2.0.1", 80), ("10.2.0.1", 90)]
    assert reaches(rules, Peer(address="11.0.0.1"), Peer({"app": "b"}), 80)
