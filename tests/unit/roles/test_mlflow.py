# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role mlflow makes of its variables."""

from __future__ import annotations

import configparser
import fnmatch
import json
import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from rendering import objects, objects_of, one, script, templar

Found = dict[str, t.Any]


def value(expression: str, **variables: t.Any) -> t.Any:
    return templar("mlflow", **variables).template(trust_as_template(f"{{{{ {expression} }}}}"))


def pod(**variables: t.Any) -> Found:
    return one(objects("mlflow", **variables), "Deployment")["spec"]["template"]


def environment(**variables: t.Any) -> Found:
    entries = pod(**variables)["spec"]["containers"][0]["env"]
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in entries}


def secret(name: str, **variables: t.Any) -> dict[str, str]:
    return one(objects("mlflow", **variables), "Secret", name)["stringData"]


def answers(host: str, **variables: t.Any) -> bool:
    """Whether MLflow takes this Host header: equal to an entry, or like one that has a star."""
    entries = environment(**variables)["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    return any(fnmatch.fnmatch(host, entry) if "*" in entry else host == entry for entry in entries)


def test_artifacts_lie_below_the_environment_and_the_cluster() -> None:
    assert environment()["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://mlflow/test/unit01"
    assert environment()["MLFLOW_S3_ENDPOINT_URL"] == "http://minio:9000"


def test_both_databases_name_their_driver() -> None:
    server = secret("mlflow-server")
    ini = configparser.ConfigParser()
    ini.read_string(server["basic_auth.ini"])
    for url, database in ((server["backend_store_uri"], "mlflow"), (ini["mlflow"]["database_uri"], "mlflow_auth")):
        assert url.startswith("postgresql+psycopg2://mlflow:")
        assert url.endswith(f"@postgresql:5432/{database}")
    assert ini["mlflow"]["default_permission"] == "READ"
    assert ini["mlflow"]["admin_username"] == "admin"


def test_a_password_with_odd_characters_survives_url_and_ini() -> None:
    password = "50%/of@all:words"
    ini = configparser.ConfigParser()
    ini.read_string(secret("mlflow-server", mlflow_database_password=password)["basic_auth.ini"])
    assert ini["mlflow"]["database_uri"].startswith("postgresql+psycopg2://mlflow:50%25%2Fof%40all%3Awords@")


def test_secrets_are_nowhere_but_in_secrets() -> None:
    variables = {"mlflow_users": [{"username": "ana"}]}
    found = objects("mlflow", **variables)
    hidden = {text for item in found if item["kind"] == "Secret" for text in item["stringData"].values()}
    hidden -= {"admin", "ana", "notebook", "ray", "mlflow", "us-east-1", "http://minio:9000", "http://mlflow:5000"}
    hidden -= {"s3://mlflow/test/unit01"}
    others = json.dumps([item for item in found if item["kind"] != "Secret"])
    assert len(hidden) == 8
    assert not [text for text in hidden if text in others]


def test_the_platforms_own_users_are_made_and_can_be_changed() -> None:
    names = [row["user"]["username"] for row in value("__mlflow_users")]
    assert names == ["notebook", "ray"]
    changed = value("__mlflow_users", mlflow_users=[{"username": "ray", "generation": 2}])
    assert [row["user"]["username"] for row in changed] == ["notebook", "ray"]
    assert changed[1]["user"]["password"] != value("__mlflow_users")[1]["user"]["password"]


def test_each_secret_is_another_one() -> None:
    variables = {"mlflow_users": [{"username": "ana"}, {"username": "admin2"}]}
    passwords = [
        secret("mlflow", **variables)["password"],
        secret("mlflow-ana", **variables)["password"],
        secret("mlflow-admin2", **variables)["password"],
        secret("mlflow-server", **variables)["flask_secret_key"],
        secret("minio-mlflow", **variables)["secret_key"],
        value("__mlflow_databases[0].secret.password"),
    ]
    assert len(set(passwords)) == len(passwords)


@pytest.mark.parametrize(
    ("changed", "restarts"),
    [
        ({"mlflow_admin_password_generation": 2}, False),
        ({"mlflow_users": [{"username": "ana"}]}, False),
        ({"mlflow_database_password_generation": 2}, True),
        ({"mlflow_s3_secret_generation": 2}, True),
        ({"mlflow_flask_secret_key_generation": 2}, True),
    ],
)
def test_who_restarts_when_a_secret_changes(changed: Found, restarts: bool) -> None:
    def read_by_the_server(**variables: t.Any) -> list[Found]:
        marked = "mlops.platform/restart"
        secrets = [item for item in objects("mlflow", **variables) if item["kind"] == "Secret"]
        return [item for item in secrets if item["metadata"].get("annotations", {}).get(marked) != "false"]

    assert (read_by_the_server() != read_by_the_server(**changed)) is restarts


@pytest.mark.parametrize(
    ("host", "variables"),
    [
        ("mlflow:5000", {}),
        ("mlflow", {}),
        ("mlflow.mlops.svc.cluster.local:5000", {}),
        ("127.0.0.1:40123", {}),
        ("localhost", {}),
        ("mlflow.example.com", {"mlflow_exposure": {"type": "ingress", "host": "mlflow.example.com"}}),
        ("mlflow.example.com:8443", {"mlflow_exposure": {"type": "ingress", "host": "mlflow.example.com"}}),
        ("10.1.2.3:30500", {"mlflow_exposure": {"type": "node_port"}, "cluster_node_networks": ["10.1.2.0/24"]}),
        ("10.1.2.3:30500", {"mlflow_exposure": {"type": "node_port"}, "cluster_node_networks": ["10.1.2.3/32"]}),
        ("tracking.lan:80", {"mlflow_allowed_hosts": ["tracking.lan"]}),
        ("a.tracking.lan", {"mlflow_allowed_hosts": ["*.tracking.lan", "*.tracking.lan:*"]}),
    ],
)
def test_it_answers_by_the_names_that_lead_to_it(host: str, variables: Found) -> None:
    assert answers(host, **variables)


@pytest.mark.parametrize(
    ("host", "variables"),
    [
        ("evil.example.com", {}),
        ("mlflow.evil.com", {}),
        ("10.1.2.3:5000", {}),
        ("10.1.3.3:30500", {"mlflow_exposure": {"type": "node_port"}, "cluster_node_networks": ["10.1.2.0/24"]}),
        ("10.1.2.evil.com:30500", {"mlflow_exposure": {"type": "node_port"}, "cluster_node_networks": ["10.1.2.0/24"]}),
        ("10.1.evil.com", {"mlflow_exposure": {"type": "node_port"}, "cluster_node_networks": ["10.1.0.0/16"]}),
        ("10.1.2.3.evil.com", {"mlflow_exposure": {"type": "node_port"}, "cluster_node_networks": ["10.1.2.0/24"]}),
        ("mlflow.example.com.evil.com", {"mlflow_exposure": {"type": "ingress", "host": "mlflow.example.com"}}),
    ],
)
def test_it_answers_by_no_other_name(host: str, variables: Found) -> None:
    assert not answers(host, **variables)


def test_browsers_of_the_exposure_may_change_things() -> None:
    assert "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS" not in environment()
    exposed = {"mlflow_exposure": {"type": "ingress", "host": "mlflow.example.com"}}
    assert "https://mlflow.example.com" in environment(**exposed)["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")


def test_two_replicas_are_never_out_together() -> None:
    found = objects("mlflow", mlflow_replicas=2)
    spec = one(found, "Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert one(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert not [item for item in objects("mlflow") if item["kind"] == "PodDisruptionBudget"]


def test_replicas_spread_softly() -> None:
    assert "topologySpreadConstraints" not in pod()["spec"]
    found = pod(mlflow_replicas=2)
    (spread,) = found["spec"]["topologySpreadConstraints"]
    assert (spread["whenUnsatisfiable"], spread["topologyKey"]) == ("ScheduleAnyway", "kubernetes.io/hostname")
    assert spread["labelSelector"]["matchLabels"].items() <= found["metadata"]["labels"].items()


def test_metrics_have_a_port_of_their_own() -> None:
    assert len(pod()["spec"]["containers"]) == 1
    found = pod(mlflow_metrics={"enabled": True})
    assert found["metadata"]["annotations"]["prometheus.io/port"] == "8080"
    assert [item["name"] for item in found["spec"]["containers"]] == ["mlflow", "metrics"]
    assert (
        "start_http_server"
        in one(objects("mlflow", mlflow_metrics={"enabled": True}), "ConfigMap")["data"]["metrics.py"]
    )


def test_its_user_of_minio_reaches_the_folder_of_this_cluster_alone() -> None:
    assert value("__mlflow_store")["application"]["prefix"] == "test/unit01/"
    assert value("__mlflow_store", mlflow_artifacts_prefix="")["application"]["prefix"] == ""


def test_an_external_store_replaces_minio() -> None:
    variables = {
        "object_store_type": "external",
        "object_store_endpoint": "https://s3.example.com:8443",
        "object_store_bucket": "team",
        "object_store_access_key": "key",
        "object_store_secret_key": "given-secret",
        "object_store_ca_secret": "company-ca",
    }
    found = environment(**variables)
    assert found["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://team/test/unit01"
    assert found["AWS_CA_BUNDLE"] == "/run/secrets/object-store/ca.crt"
    assert secret("minio-mlflow", **variables)["secret_key"] == "given-secret"
    assert "mlops.platform/uses-minio" not in pod(**variables)["metadata"]["labels"]
    egress = one(objects("mlflow", **variables), "NetworkPolicy")["spec"]["egress"]
    assert {"ports": [{"port": 8443, "protocol": "TCP"}]} in egress
    for name, wrong, message in (("secret_key", "", "it is empty"), ("bucket", "team/", "S3 refuses the bucket name")):
        with pytest.raises(AnsibleError, match=f"object_store_{name}: {message}"):
            objects("mlflow", **{**variables, f"object_store_{name}": wrong})


def test_with_tls_of_minio_artifacts_go_by_https_and_the_certificate_is_checked() -> None:
    variables = {"minio_tls": {"issuer": "company"}}
    assert environment(**variables)["MLFLOW_S3_ENDPOINT_URL"] == "https://minio:9000"
    assert environment(**variables)["AWS_CA_BUNDLE"] == "/run/secrets/object-store/ca.crt"
    mounted = {item["name"]: item.get("secret") for item in pod(**variables)["spec"]["volumes"]}
    assert mounted["object-store-ca"]["secretName"] == "minio-tls"
    assert "AWS_CA_BUNDLE" not in environment()
    own = pod(**variables, object_store_ca_secret="company-ca")["spec"]["volumes"]
    assert {item["name"]: item.get("secret") for item in own}["object-store-ca"]["secretName"] == "company-ca"


def test_clients_learn_where_the_ca_of_the_server_lies() -> None:
    assert value("mlops_mlflow_ca_secret") == ""
    assert value("mlops_mlflow_ca_secret", mlflow_tls={"issuer": "company"}) == "mlflow-tls"
    assert value("mlops_mlflow_ca_secret", mlflow_tls={"secret": "mine"}) == "mine"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"mlflow_admin_password": "short"}, "mlflow_admin_password: it is shorter than 12"),
        ({"mlflow_exposure": {"type": "ingress"}}, "mlflow_exposure.host: '' is not a DNS name"),
        ({"mlflow_bucket": "Bad_Name"}, "mlflow_bucket*: applications.mlflow.bucket: S3 refuses"),
        ({"mlflow_bucket_quota": "much"}, "mlflow_bucket*: applications.mlflow.quota"),
        ({"mlflow_database": "postgres"}, "mlflow_database*: databases[0].name: 'postgres' belongs to PostgreSQL"),
        ({"mlflow_users": [{"username": "admin"}]}, "mlflow_users: users[2].username: 'admin' is the administrator"),
        ({"mlflow_pod_labels": {"app.kubernetes.io/name": "x"}}, "app.kubernetes.io/name belongs to the role"),
        ({"platform_previous_master_key": "short"}, "platform_previous_master_key: it has 5 characters"),
        ({"mlflow_flask_secret_key": "short"}, "mlflow_flask_secret_key: it is shorter than 12"),
        ({"mlflow_admin_password": "x" * 129}, "mlflow_admin_password: it has 129 characters; give at most 128"),
        ({"minio_root_user": "mlflow"}, "mlflow_bucket*, mlflow: minio_root_user has this name too"),
    ],
)
def test_what_a_later_task_would_refuse_is_refused_before_anything_changes(variables: Found, message: str) -> None:
    assert value("__mlflow_checked | to_json")
    with pytest.raises(AnsibleError) as error:
        value("__mlflow_checked | to_json", **variables)
    assert message in str(error.value)


def test_a_migration_ends_at_some_time() -> None:
    found = objects_of("mlflow", "__mlflow_database_objects", "database", mlflow_migration_timeout=60)
    assert one(found, "Job")["spec"]["activeDeadlineSeconds"] == 60


def test_settings_of_the_user_go_over_the_usual_and_under_the_own() -> None:
    found = environment(
        mlflow_environment={"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": 9, "MLFLOW_PORT": 1, "MLFLOW_BACKEND_STORE_URI": "x"}
    )
    assert found["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"] == "9"
    assert found["MLFLOW_PORT"] == "5000"
    assert found["MLFLOW_BACKEND_STORE_URI"] == {"secretKeyRef": {"name": "mlflow-server", "key": "backend_store_uri"}}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"mlflow_admin_password": "short"}, "mlflow_admin_password: it is shorter than 12"),
        ({"mlflow_users": [{"username": "Ana"}]}, "mlflow_users, Ana: no Secret can be named 'mlflow-Ana'"),
        ({"mlflow_users": [{"username": "ana", "password": "short"}]}, "mlflow_users, ana: it is shorter"),
        ({"mlflow_allowed_hosts": ["https://x"]}, "mlflow_allowed_hosts: 'https://x' is not a name"),
        ({"mlflow_exposure": {"type": "ingress"}}, "mlflow_exposure.host: '' is not a DNS name"),
        ({"mlflow_exposure": {"type": "node_port"}, "cluster_node_networks": ["10.0.0.1/8"]}, "cluster_node_networks"),
        ({"mlflow_s3_secret": "short"}, "mlflow_s3_secret, mlflow: it is shorter"),
        ({"mlflow_database_user": "superuser"}, "mlflow_database_*, mlflow: the owner 'superuser' would get"),
    ],
)
def test_a_wrong_value_is_named(variables: Found, message: str) -> None:
    with pytest.raises(AnsibleError) as error:
        objects("mlflow", **variables)
    assert message in str(error.value)


@pytest.fixture(scope="module")
def migrate() -> t.Any:
    """The script of the Job; what it needs of the image it imports late."""
    return script("mlflow", "migrate")


def schema(migrate: t.Any, found: str | None, name: str = "tracking") -> t.Any:
    return migrate.Schema(name, "url", found, frozenset({"a", "b", "c"}), "c")


@pytest.mark.parametrize(
    ("tracking", "auth", "todo", "stops"),
    [
        ("c", "c", [], False),
        (None, None, ["tracking", "auth"], False),
        ("b", "c", ["tracking"], True),
        ("c", "a", ["auth"], True),
        ("c", None, ["auth"], False),
    ],
)
def test_servers_are_stopped_only_for_an_older_schema(
    migrate: t.Any, tracking: str | None, auth: str | None, todo: list[str], stops: bool
) -> None:
    schemas = [schema(migrate, tracking), schema(migrate, auth, "auth")]
    found = migrate.old(schemas)
    assert [item.name for item in found] == todo
    assert migrate.in_use(found) is stops


def test_a_newer_schema_is_refused(migrate: t.Any) -> None:
    with pytest.raises(migrate.Refused, match="the auth database has schema z, which this image does not know"):
        migrate.old([schema(migrate, "b"), schema(migrate, "z", "auth")])
