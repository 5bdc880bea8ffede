"""What the role postgresql makes of its variables."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from rendering import objects, one, templar


def pod(**variables: t.Any) -> dict[str, t.Any]:
    return one(objects("postgresql", **variables), "StatefulSet")["spec"]["template"]


def config(**variables: t.Any) -> dict[str, str]:
    return one(objects("postgresql", **variables), "ConfigMap")["data"]


def test_there_is_one_replica_with_one_claim_and_no_template_of_claims() -> None:
    found = one(objects("postgresql"), "StatefulSet")["spec"]
    assert found["replicas"] == 1
    assert "volumeClaimTemplates" not in found
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "postgresql-data"}} in found["template"]["spec"][
        "volumes"
    ]


def test_the_server_runs_under_the_lease_and_its_data_lie_beside_it() -> None:
    container = pod()["spec"]["containers"][0]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert container["command"][:4] == ["lease", "run", "--dir", "/data/.lease"]
    assert environment["PGDATA"] == "/data/pgdata"
    assert environment["LEASE_CLUSTER"] == "unit01"


def test_an_image_without_the_wrapper_can_run() -> None:
    assert pod(postgresql_lease_seconds=0)["spec"]["containers"][0]["command"] == ["sh", "/etc/postgresql/start.sh"]


def probe(name: str, folder: Path, status: int, ready: bool) -> bool:
    """Whether a probe passes where pg_isready ends with a status: 0 accepts, 1 refuses (it recovers), 2 no answer."""
    container = pod()["spec"]["containers"][0]
    program, script = container[name]["exec"]["command"][:-1], container[name]["exec"]["command"][-1]
    (folder / "pg_isready").write_text(f"#!/bin/sh\nexit {status}\n")
    (folder / "pg_isready").chmod(0o755)
    (folder / "ready").unlink(missing_ok=True)
    if ready:
        (folder / "ready").touch()
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    command = [*program, script.replace("/run/postgresql", str(folder))]
    return subprocess.run(command, env=environment, check=False).returncode == 0


@pytest.mark.parametrize(("status", "lives"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_server_that_recovers_is_not_killed_and_not_used(tmp_path: Path, status: int, lives: bool) -> None:
    for name in ("startupProbe", "livenessProbe"):
        assert probe(name, tmp_path, status, ready=True) is lives
        assert probe(name, tmp_path, status, ready=False) is lives
    assert probe("readinessProbe", tmp_path, status, ready=True) is (status == 0)
    assert not probe("readinessProbe", tmp_path, status, ready=False), "its password is not set yet"


def test_a_recovery_may_take_a_day() -> None:
    found = pod()["spec"]["containers"][0]["startupProbe"]
    assert found["periodSeconds"] * found["failureThreshold"] >= 24 * 3600


def test_the_password_is_a_file_and_nowhere_else() -> None:
    password = one(objects("postgresql"), "Secret")["stringData"]["password"]
    others = [item for item in objects("postgresql") if item["kind"] != "Secret"]
    assert len(password) == 32
    assert password not in json.dumps(others, default=str)


def test_another_generation_is_another_password() -> None:
    first, second = (
        one(objects("postgresql", postgresql_password_generation=number), "Secret")["stringData"]["password"]
        for number in (1, 2)
    )
    assert first != second


def test_settings_go_over_the_roles_own_and_null_leaves_one_out() -> None:
    text = config(postgresql_config={"max_connections": 50, "jit": None, "log_line_prefix": "it's"})["postgresql.conf"]
    assert "max_connections = 50\n" in text
    assert "jit" not in text
    assert "log_line_prefix = 'it''s'\n" in text


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"postgresql_config": {"fsync": False}}, "postgresql_config.fsync"),
        ({"postgresql_config": {"port": 1}}, "postgresql_config.port"),
        ({"postgresql_config": {"a b": 1}}, "is not the name of a setting"),
        ({"postgresql_password": "short"}, "postgresql_password: it is shorter than 12"),
        ({"postgresql_exposure": {"type": "ingress", "host": "a.b"}}, "postgresql_exposure.type"),
        ({"postgresql_lease_seconds": 3}, "lease_seconds: 3 is too short"),
        ({"platform_master_key": ""}, "platform_master_key: it is empty"),
        ({"platform_master_key": "short"}, "platform_master_key: it has 5 characters"),
        ({"postgresql_databases": [{"name": "Ünï"}]}, "no Secret can be named"),
        ({"postgresql_databases": [{"name": "superuser"}]}, "would get the superuser's password"),
        ({"postgresql_databases": [{"name": "a", "owner": "mlops_metrics"}]}, "is the role of the exporter"),
        (
            {"postgresql_databases": [{"name": "a", "owner": "superuser"}]},
            "postgresql_databases, a: the owner 'superuser'",
        ),
        ({"postgresql_tls": {"secret": "a", "issuer": "b"}}, "exclude each other"),
    ],
)
def test_a_wrong_value_is_named(variables: dict[str, t.Any], message: str) -> None:
    with pytest.raises(AnsibleError) as error:
        objects("postgresql", **variables)
    assert message in str(error.value)


def test_with_tls_connections_without_it_are_refused() -> None:
    found = config(postgresql_tls={"secret": "mine"})
    assert "ssl = on\n" in found["postgresql.conf"]
    assert found["pg_hba.conf"].splitlines() == ["local all all trust", "hostssl all all all scram-sha-256"]
    volumes = pod(postgresql_tls={"secret": "mine"})["spec"]["volumes"]
    assert {"name": "tls", "secret": {"secretName": "mine"}} in volumes


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "postgres", "owner": "a"}], "databases[0].name: 'postgres' belongs to PostgreSQL"),
        ([{"name": "a"}, {"name": "a"}], "databases[1].name: 'a' is given twice"),
        ([{"name": "a", "grants": [{"role": "b", "access": "all"}]}], "postgresql_databases: value of access"),
    ],
)
def test_what_a_later_task_would_refuse_is_refused_before_anything_changes(
    rows: list[dict[str, t.Any]], message: str
) -> None:
    check = trust_as_template("{{ __postgresql_checked | to_json }}")
    assert templar("postgresql", postgresql_databases=[{"name": "a"}]).template(check) == "1"
    with pytest.raises(AnsibleError) as error:
        templar("postgresql", postgresql_databases=rows).template(check)
    assert message in str(error.value)


def test_metrics_come_from_a_second_container_over_the_local_socket() -> None:
    assert len(pod()["spec"]["containers"]) == 1
    found = pod(postgresql_metrics={"enabled": True})
    assert found["metadata"]["annotations"]["prometheus.io/port"] == "9187"
    server, exporter = found["spec"]["containers"]
    assert {"name": "POSTGRESQL_METRICS_ROLE", "value": "mlops_metrics"} in server["env"]
    assert exporter["env"][0]["value"].startswith("host=/run/postgresql port=5432 user=mlops_metrics ")
    assert "/exporter:" in exporter["image"]
    assert exporter["securityContext"]["readOnlyRootFilesystem"] is True


def test_an_issuers_certificate_is_valid_for_the_names_of_the_outside() -> None:
    exposed = {"type": "load_balancer", "host": "db.example.com"}
    tls = {"issuer": "company", "names": ["db.lan", "203.0.113.7", "db.example.com"]}
    found = one(objects("postgresql", postgresql_tls=tls, postgresql_exposure=exposed), "Certificate")["spec"]
    assert found["dnsNames"][-2:] == ["db.example.com", "db.lan"]
    assert found["ipAddresses"] == ["203.0.113.7"]
    plain = one(objects("postgresql", postgresql_tls={"issuer": "company"}), "Certificate")["spec"]
    assert "ipAddresses" not in plain


def test_an_issuer_makes_the_certificate_for_all_names_of_the_service() -> None:
    certificate = one(objects("postgresql", postgresql_tls={"issuer": "company"}), "Certificate")["spec"]
    assert certificate["secretName"] == "postgresql-tls"
    assert "postgresql.mlops.svc.cluster.local" in certificate["dnsNames"]
    assert certificate["issuerRef"] == {"name": "company", "kind": "ClusterIssuer"}


def test_a_database_of_ones_own_gets_its_secret() -> None:
    secret = one(
        objects("postgresql", postgresql_databases=[{"name": "shop", "owner": "shop_app"}]),
        "Secret",
        "postgresql-shop-app",
    )
    data = secret["stringData"]
    assert data["url"] == f"postgresql+psycopg2://shop_app:{data['password']}@postgresql:5432/shop"
