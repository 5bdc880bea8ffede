"""What all components have in common."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.component import (
    component_labels,
    container_security,
    disruption_budget,
    pod_metadata,
    pod_security,
)
from ansible_collections.mlops.platform.plugins.filter.exposure import exposure, tls_certificate, tls_secret
from ansible_collections.mlops.platform.plugins.filter.lease import lease_environment, under_lease
from ansible_collections.mlops.platform.plugins.filter.network_policy import network_policy, url_port


def exposed(**settings: t.Any) -> list[dict[str, t.Any]]:
    return exposure("shop", settings, service="shop", port=80, target_port=8080)


def test_security_contexts_are_those_of_the_restricted_profile() -> None:
    pod, container = pod_security(999, 998), container_security()
    assert pod == {
        "runAsNonRoot": True,
        "runAsUser": 999,
        "runAsGroup": 998,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["allowPrivilegeEscalation"] is False
    assert (container["readOnlyRootFilesystem"], container_security(False)["readOnlyRootFilesystem"]) == (True, False)


def test_a_users_labels_do_not_replace_the_components() -> None:
    assert pod_metadata("shop", {"team": 1})["labels"] == {"team": "1", **component_labels("shop")}
    with pytest.raises(AnsibleFilterError, match=r"shop_pod_labels: app\.kubernetes\.io/name belongs to the role"):
        pod_metadata("shop", {"app.kubernetes.io/name": "other"})


def test_what_a_component_uses_stands_in_its_labels() -> None:
    labels = pod_metadata("shop", uses=["redis"])["labels"]
    assert labels["mlops.platform/uses-redis"] == "true"


def test_metrics_are_annotations_that_the_user_can_change() -> None:
    found = pod_metadata("shop", annotations={"prometheus.io/path": "/m"}, metrics={"enabled": True}, metrics_port=9)
    wanted = {"prometheus.io/scrape": "true", "prometheus.io/port": "9", "prometheus.io/path": "/m"}
    assert found["annotations"] == wanted
    assert pod_metadata("shop", metrics={"enabled": False})["annotations"] == {}


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1), ("3", 1)])
def test_a_budget_needs_a_second_replica(replicas: int, budgets: int) -> None:
    assert len(disruption_budget("shop", replicas)) == budgets


def test_nothing_is_exposed_unless_it_is_asked_for() -> None:
    assert exposed() == exposed(type="none") == []


def test_a_node_port_is_a_second_service() -> None:
    (found,) = exposed(type="node_port", node_port=30080)
    assert found["metadata"]["name"] == "shop-external"
    assert found["spec"]["type"] == "NodePort"
    assert found["spec"]["ports"] == [
        {"name": "shop", "port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30080}
    ]


def test_a_load_balancer_has_its_class_annotations_and_networks() -> None:
    settings = {"class": "metal", "from": ["10.0.0.0/8"], "annotations": {"pool": 1}}
    (found,) = exposed(type="load_balancer", **settings)
    assert found["spec"]["loadBalancerClass"] == "metal"
    assert found["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert found["metadata"]["annotations"] == {"pool": "1"}


def test_an_ingress_has_tls_from_a_secret_or_from_an_issuer() -> None:
    (secret,) = exposed(type="ingress", host="shop.example.com", tls_secret="mine")
    (issuer,) = exposed(type="ingress", host="shop.example.com", issuer="company", issuer_kind="Issuer")
    assert secret["spec"]["tls"] == [{"hosts": ["shop.example.com"], "secretName": "mine"}]
    assert issuer["metadata"]["annotations"] == {"cert-manager.io/issuer": "company"}
    assert issuer["spec"]["tls"][0]["secretName"] == "shop-ingress-tls"
    backend = secret["spec"]["rules"][0]["http"]["paths"][0]["backend"]
    assert backend == {"service": {"name": "shop", "port": {"number": 80}}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"type": "magic"}, "shop_exposure.type: 'magic' is unknown"),
        ({"type": "ingress"}, "shop_exposure.host: '' is not a DNS name"),
        ({"type": "ingress", "host": "UPPER.example.com"}, "shop_exposure.host"),
        ({"type": "ingress", "host": "a.b", "tls_secret": "a", "issuer": "b"}, "exclude each other"),
        ({"type": "load_balancer", "node_port": 30080}, "needs type node_port"),
        ({"type": "node_port", "node_port": 99999}, "up to 65535"),
    ],
)
def test_a_wrong_exposure_is_named(settings: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        exposed(**settings)


def test_a_certificate_is_made_only_where_an_issuer_is_named() -> None:
    assert tls_secret({}, "shop") == ""
    assert tls_secret({"secret": "mine"}, "shop") == "mine"
    assert tls_certificate("shop", {"secret": "mine"}, "shop", "mlops") == []
    assert tls_certificate("shop", {"issuer": "i"}, "shop", "mlops")[0]["spec"]["secretName"] == "shop-tls"


def test_a_component_that_is_unknown_cannot_be_used() -> None:
    with pytest.raises(AnsibleFilterError, match="no component 'redis' to use; known are minio"):
        network_policy("shop", {}, [80], layout={"minio": {"port": 9000}}, uses=["redis"])


def test_what_lies_outside_is_reached_by_its_port() -> None:
    (policy,) = network_policy("shop", {}, [80], outside=[443, 8443])
    rule = {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 8443, "protocol": "TCP"}]}
    assert policy["spec"]["egress"][-1] == rule
    assert network_policy("shop", {}, [80])[0]["spec"]["egress"] == []


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://a.example.com", 443), ("http://a", 80), ("https://[fd00::1]:8443/x", 8443), ("http://a:9000", 9000)],
)
def test_the_port_of_an_address(url: str, port: int) -> None:
    assert url_port(url) == port


def test_a_server_runs_under_the_lease_unless_it_is_switched_off() -> None:
    found = under_lease(["server", "--now"], "/data", 30, "INT")
    wanted = "lease run --dir /data/.lease --seconds 30 --stop-signal INT -- server --now"
    assert found == wanted.split()
    assert under_lease(["server"], "/data", 0) == ["server"]
    with pytest.raises(AnsibleFilterError, match="lease_seconds: 5 is too short"):
        under_lease(["server"], "/data", 5)


def test_the_lease_is_told_who_holds_it() -> None:
    found = {
        item["name"]: item.get("value") or item["valueFrom"]["fieldRef"]["fieldPath"]
        for item in lease_environment("a", "b")
    }
    assert found["LEASE_CLUSTER"] == "a"
    assert found["LEASE_POD_UID"] == "metadata.uid"
