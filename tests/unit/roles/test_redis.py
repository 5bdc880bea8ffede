"""What the role redis makes of its variables."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from rendering import ROLES, objects, one, templar


def conf(**variables: t.Any) -> list[str]:
    return one(objects("redis", **variables), "ConfigMap")["data"]["redis.conf"].splitlines()


def test_nothing_is_evicted_and_a_quiet_connection_stays() -> None:
    assert {"appendonly yes", "maxmemory-policy noeviction", "timeout 0"} <= set(conf())


def test_settings_go_over_the_roles_own() -> None:
    assert "appendfsync always" in conf(redis_config={"appendfsync": "always"})
    assert not [line for line in conf(redis_config={"tcp-backlog": None}) if line.startswith("tcp-backlog")]


def test_the_password_is_a_file_and_nowhere_else() -> None:
    found = objects("redis")
    password = one(found, "Secret")["stringData"]["password"]
    assert password not in json.dumps([item for item in found if item["kind"] != "Secret"])


def test_a_new_password_restarts_nothing() -> None:
    assert one(objects("redis"), "Secret")["metadata"]["annotations"] == {"mlops.platform/restart": "false"}


def test_with_a_redis_of_ones_own_only_the_secret_is_made() -> None:
    found = objects("redis", mlops_redis_external="redis.example.com:6379", redis_password="theirs")
    assert sorted(item["kind"] for item in found) == ["Namespace", "Secret"]
    assert one(found, "Secret")["stringData"]["password"] == "theirs"


@pytest.mark.parametrize("password", ["", "kurz", "größer", "x" * 200])
def test_the_password_of_a_redis_of_ones_own_is_not_judged(password: str) -> None:
    found = objects("redis", mlops_redis_external="redis.example.com:6379", redis_password=password)
    assert one(found, "Secret")["stringData"]["password"] == password


@pytest.mark.parametrize("password", ["of-a-file-with-its-end\n", "two words", "bell\a"])
def test_a_password_that_ray_cannot_give_to_redis_is_refused(password: str) -> None:
    with pytest.raises(AnsibleError, match="redis_password: Ray cannot give a password with white space") as error:
        objects("redis", mlops_redis_external="redis.example.com:6379", redis_password=password)
    assert password not in str(error.value)


def test_with_tls_there_is_no_plain_port() -> None:
    found = conf(redis_tls={"issuer": "company"})
    assert {"port 0", "tls-port 6379", "tls-cert-file /run/secrets/redis-tls/tls.crt"} <= set(found)


def test_metrics_come_from_a_second_container_without_the_password() -> None:
    def pod(**variables: t.Any) -> dict[str, t.Any]:
        return one(objects("redis", **variables), "StatefulSet")["spec"]["template"]

    assert len(pod()["spec"]["containers"]) == 1
    found = pod(redis_metrics={"enabled": True}, redis_tls={"secret": "mine"})
    assert found["metadata"]["annotations"]["prometheus.io/port"] == "9121"
    server, exporter = found["spec"]["containers"]
    assert {"name": "REDIS_METRICS", "value": "true"} in server["env"]
    environment = {item["name"]: item["value"] for item in exporter["env"]}
    assert (environment["REDIS_ADDR"], environment["REDIS_USER"]) == ("rediss://localhost:6379", "metrics")
    assert "volumeMounts" not in exporter


def refused(**variables: t.Any) -> bool:
    """Whether the role's first task ends the play."""
    first = yaml.safe_load((ROLES / "redis" / "tasks" / "main.yml").read_text())[0]
    engine = templar("redis", redis_state="present", **variables)
    rules = [trust_as_template(rule) for rule in first["ansible.builtin.assert"]["that"]]
    return not all(engine.evaluate_conditional(rule) for rule in rules)


def test_tls_is_refused_where_ray_uses_this_redis() -> None:
    assert refused(redis_tls={"issuer": "company"})
    assert not refused(redis_tls={"issuer": "company"}, ray_service_state="absent")
    assert not refused()


def test_a_short_previous_master_key_is_named_before_anything_changes() -> None:
    with pytest.raises(AnsibleError, match="platform_previous_master_key: it has 5 characters"):
        refused(platform_previous_master_key="short")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"redis_config": {"maxmemory-policy": "allkeys-lru"}}, "redis_config.maxmemory-policy: it must be noeviction"),
        ({"redis_config": {"timeout": 300}}, "redis_config.timeout"),
        ({"redis_config": {"appendonly": False}}, "redis_config.appendonly"),
        ({"redis_config": {"requirepass": "x"}}, "redis_config.requirepass: the role sets it"),
        ({"redis_config": {"save": "a\nrequirepass x"}}, "redis_config.save: it must be one line"),
        ({"redis_password": "white space in it"}, "redis_password: use only printable"),
        ({"redis_exposure": {"type": "ingress", "host": "a.b"}}, "redis_exposure.type"),
    ],
)
def test_a_wrong_value_is_named(variables: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleError) as error:
        objects("redis", **variables)
    assert message in str(error.value)
