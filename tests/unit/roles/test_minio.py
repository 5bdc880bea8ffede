# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role minio makes of its variables."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from rendering import objects, one, templar


def container(**variables: t.Any) -> dict[str, t.Any]:
    found = one(objects("minio", **variables), "StatefulSet")["spec"]
    assert found["replicas"] == 1
    return found["template"]["spec"]["containers"][0]


def environment(**variables: t.Any) -> dict[str, t.Any]:
    return {item["name"]: item.get("value") for item in container(**variables)["env"]}


def value(expression: str, **variables: t.Any) -> t.Any:
    return templar("minio", **variables).template(trust_as_template(f"{{{{ {expression} }}}}"))


def test_the_server_runs_under_the_lease_on_the_one_claim() -> None:
    assert container()["command"] == [
        *["lease", "run", "--dir", "/data/.lease", "--seconds", "45", "--stop-signal", "TERM", "--"],
        *["minio", "server", "--address", ":9000", "--certs-dir", "/run/minio/certificates", "/data"],
    ]
    volumes = one(objects("minio"), "StatefulSet")["spec"]["template"]["spec"]["volumes"]
    assert volumes[0] == {"name": "data", "persistentVolumeClaim": {"claimName": "minio-data"}}


def test_the_password_is_a_file_and_nowhere_else() -> None:
    password = one(objects("minio"), "Secret", "minio")["stringData"]["root_password"]
    others = [item for item in objects("minio") if item["kind"] != "Secret"]
    assert len(password) == 32
    assert password not in json.dumps(others)
    assert environment()["MINIO_ROOT_PASSWORD_FILE"] == "/run/secrets/minio/root_password"


def test_the_console_is_off_unless_asked_for() -> None:
    assert environment()["MINIO_BROWSER"] == "off"
    assert "--console-address" not in container()["command"]
    asked = {
        "minio_console_enabled": True,
        "minio_console_exposure": {"type": "ingress", "host": "console.example.com"},
    }
    assert environment(**asked)["MINIO_BROWSER"] == "on"
    found = objects("minio", **asked)
    backend = one(found, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "minio-console", "port": {"number": 9001}}
    assert one(found, "Service", "minio-console")["spec"]["ports"][0]["targetPort"] == "console"
    policy = one(found, "NetworkPolicy", "minio-console")["spec"]
    assert policy["ingress"] == [{"ports": [{"port": 9001, "protocol": "TCP"}]}]
    with pytest.raises(AnsibleError, match=r"minio_console_exposure.host: '' is not a DNS name"):
        objects("minio", minio_console_enabled=True, minio_console_exposure={"type": "ingress"})


def test_metrics_are_closed_unless_asked_for() -> None:
    assert environment()["MINIO_PROMETHEUS_AUTH_TYPE"] == "jwt"
    assert environment(minio_metrics={"enabled": True})["MINIO_PROMETHEUS_AUTH_TYPE"] == "public"
    template = one(objects("minio", minio_metrics={"enabled": True}), "StatefulSet")["spec"]["template"]
    assert template["metadata"]["annotations"]["prometheus.io/path"] == "/minio/v2/metrics/cluster"


def test_settings_of_the_user_never_replace_the_roles_own() -> None:
    found = environment(minio_environment={"MINIO_SCANNER_SPEED": "slow", "MINIO_ROOT_PASSWORD_FILE": "/other"})
    assert found["MINIO_SCANNER_SPEED"] == "slow"
    assert found["MINIO_ROOT_PASSWORD_FILE"] == "/run/secrets/minio/root_password"


def test_with_tls_everything_speaks_https() -> None:
    found = container(minio_tls={"secret": "mine"})
    probes = [found[name]["httpGet"]["scheme"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert probes == ["HTTPS"] * 3
    volumes = one(objects("minio", minio_tls={"secret": "mine"}), "StatefulSet")["spec"]["template"]["spec"]["volumes"]
    source = volumes[-1]["projected"]["sources"][0]["secret"]
    assert source["name"] == "mine"
    assert [item["path"] for item in source["items"]] == ["public.crt", "private.key"]
    assert value("__minio_endpoint", minio_tls={"secret": "mine"}) == "https://minio:9000"


def test_an_application_gets_a_secret_that_opens_its_own_bucket() -> None:
    variables = {"minio_applications": [{"name": "shop", "bucket": "goods", "generation": 2, "quota": "1Gi"}]}
    secret = one(objects("minio", **variables), "Secret", "minio-shop")
    data = secret["stringData"]
    assert {key: data[key] for key in ("access_key", "bucket", "endpoint", "region")} == {
        "access_key": "shop",
        "bucket": "goods",
        "endpoint": "http://minio:9000",
        "region": "us-east-1",
    }
    assert secret["metadata"]["annotations"] == {"mlops.platform/restart": "false"}
    entry = value("__minio_applications[-1].application", **variables)
    assert entry == {"name": "shop", "bucket": "goods", "quota": "1Gi", "secret_key": data["secret_key"]}
    first = value("__minio_applications[-1].application.secret_key", minio_applications=[{"name": "shop"}])
    assert first != data["secret_key"]


def test_nobody_gets_the_administrators_secret() -> None:
    with pytest.raises(AnsibleError, match="minio_users, root: a user of this name would get the administrator's"):
        value("__minio_users", minio_users=[{"access_key": "root"}])
    removed = value("__minio_users", minio_users=[{"access_key": "root", "state": "absent"}])
    assert removed[0]["state"] == "absent"


def test_settings_reach_the_server_as_texts() -> None:
    found = environment(minio_environment={"MINIO_ILM_TRANSITION_WORKERS": 5, "MINIO_COMPRESSION_ENABLE": True})
    assert (found["MINIO_ILM_TRANSITION_WORKERS"], found["MINIO_COMPRESSION_ENABLE"]) == ("5", "true")


def test_an_absent_application_has_no_secret() -> None:
    variables = {"minio_applications": [{"name": "shop", "state": "absent"}], "minio_code_bucket": ""}
    assert [item["metadata"]["name"] for item in objects("minio", **variables) if item["kind"] == "Secret"] == ["minio"]


def test_notebooks_write_code_and_ray_reads_it() -> None:
    rows = [row["application"] for row in value("__minio_applications")]
    assert [(row["name"], row["bucket"], row.get("access", "write")) for row in rows] == [
        ("notebook", "code", "write"),
        ("ray", "code", "read"),
    ]
    own = value("__minio_applications", minio_applications=[{"name": "ray", "bucket": "own"}])
    assert [row["application"]["bucket"] for row in own] == ["code", "own"]


def test_users_get_a_derived_secret_and_policies_go_after_their_users() -> None:
    users = value("__minio_users", minio_users=[{"access_key": "ana", "policies": ["readonly"]}])
    assert (users[0]["access_key"], len(users[0]["secret_key"])) == ("ana", 32)
    policies = [{"name": "a", "policy": {}}, {"name": "b", "state": "absent"}, {"name": "c", "state": "present"}]
    assert [item["name"] for item in value("__minio_policies", minio_policies=policies)] == ["a", "c"]


def test_with_an_external_store_there_are_only_the_secrets_of_notebooks_and_ray() -> None:
    store = {
        "object_store_type": "external",
        "object_store_endpoint": "https://s3.example.com",
        "object_store_bucket": "team",
        "object_store_access_key": "key",
        "object_store_secret_key": "given-secret",
    }
    found = objects("minio", **store)
    assert sorted(item["kind"] for item in found) == ["Namespace", "Secret", "Secret"]
    for name in ("minio-notebook", "minio-ray"):
        assert one(found, "Secret", name)["stringData"] == {
            "access_key": "key",
            "secret_key": "given-secret",
            "bucket": "team",
            "endpoint": "https://s3.example.com",
            "region": "us-east-1",
            "url": "s3://team/test/unit01/code",
        }
    assert [item["kind"] for item in objects("minio", **store, minio_code_bucket="")] == ["Namespace"]
    for bucket, message in (("", "it is empty"), ("Team_A", "S3 refuses the bucket name 'Team_A': write only a-z")):
        with pytest.raises(AnsibleError, match=f"object_store_bucket: {message}"):
            objects("minio", **{**store, "object_store_bucket": bucket})


def test_an_address_for_code_names_the_folder_of_the_application() -> None:
    rows = [{"name": "shop", "bucket": "goods", "prefix": "eu/"}, {"name": "book"}]
    urls = [row["secret"]["url"] for row in value("__minio_applications", minio_applications=rows)]
    assert urls == ["s3://code", "s3://code", "s3://goods/eu", "s3://book"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"minio_buckets": [{"name": "Audit"}]}, "minio_buckets: buckets.Audit.name: S3 refuses the bucket name"),
        ({"minio_buckets": [{"name": "audit", "qouta": "1Gi"}]}, "minio_buckets: buckets.qouta. Supported"),
        ({"minio_buckets": [{"name": "audit", "retention": {"mode": "soft"}}]}, "minio_buckets: value of mode"),
        ({"minio_policies": [{"name": "own", "policy": {"Statement": []}}]}, "minio_policies: policies.own.policy"),
        ({"minio_users": [{"access_key": "a"}]}, "minio_users: users.access_key: 'a' has 1 characters"),
        ({"minio_applications": [{"name": "shop", "quota": "much"}]}, "minio_applications: applications.shop.quota"),
        ({"minio_root_user": "ab"}, "minio_root_user: 'ab' has 2 characters; write at least 3"),
        ({"minio_users": [{"access_key": "root", "state": "absent"}]}, "minio_users, root: minio_root_user has this"),
        ({"minio_root_user": "ana", "minio_users": [{"access_key": "ana"}]}, "minio_users, ana: minio_root_user has"),
        (
            {"minio_applications": [{"name": "root", "state": "absent"}]},
            "minio_applications, root: minio_root_user has this name too; change one of them",
        ),
        (
            {"minio_root_user": "shop", "minio_applications": [{"name": "shop"}]},
            "minio_applications, shop: minio_root_user has this name too",
        ),
        ({"minio_root_user": "notebook"}, "minio_applications, notebook: minio_root_user has this name too"),
    ],
)
def test_what_a_later_task_would_refuse_is_refused_before_anything_changes(
    variables: dict[str, t.Any], message: str
) -> None:
    assert value("__minio_checked | to_json")
    with pytest.raises(AnsibleError) as error:
        value("__minio_checked | to_json", **variables)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"minio_root_password": "short"}, "minio_root_password: it is shorter than 12"),
        ({"minio_root_password": "x" * 129}, "minio_root_password: it has 129 characters; give at most 128"),
        ({"minio_applications": [{"name": "Shop"}]}, "minio_applications, Shop: the Secret is named after it"),
        ({"minio_applications": [{"name": "shop", "secret_key": "short"}]}, "minio_applications, shop: it is shorter"),
        ({"minio_applications": [{"name": "root"}]}, "minio_applications, root: a user of this name would get"),
        ({"minio_exposure": {"type": "ingress"}}, "minio_exposure.host: '' is not a DNS name"),
        ({"minio_lease_seconds": 3}, "lease_seconds: 3 is too short"),
    ],
)
def test_a_wrong_value_is_named(variables: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleError) as error:
        objects("minio", **variables)
    assert message in str(error.value)
