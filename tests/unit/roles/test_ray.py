# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles ray_service and kuberay_operator make of their variables."""

from __future__ import annotations

import hashlib
import json
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from reachability import Peer, reaches
from rendering import ROOT, objects, one, templar

from ansible_collections.mlops.platform.plugins.filter import ray_applications

WORKERS = yaml.safe_load((ROOT / "roles/ray_service/defaults/main.yml").read_text())["ray_service_workers"]
RAY = {"mlops_redis_external": "", "object_store_type": "minio"}


def service(**variables: t.Any) -> dict[str, t.Any]:
    return one(objects("ray_service", **RAY, **variables), "RayService")


def spec(**variables: t.Any) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", service(**variables)["spec"]["rayClusterConfig"])


def group(**fields: t.Any) -> list[dict[str, t.Any]]:
    return [{**WORKERS[0], **fields}]


def worker(**variables: t.Any) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", spec(**variables)["workerGroupSpecs"][0])


def test_the_head_runs_no_models_and_takes_no_traffic() -> None:
    assert spec()["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert service()["spec"]["excludeHeadPodFromServeSvc"] is True
    found = one(objects("ray_service", **RAY), "Service", "ray-serve")["spec"]["selector"]
    assert found["ray.io/node-type"] == "worker"
    assert "ray.io/cluster" not in found


def test_the_state_is_in_redis_unless_that_is_switched_off() -> None:
    options = spec()["gcsFaultToleranceOptions"]
    assert options["redisAddress"] == "redis:6379"
    assert options["redisPassword"]["valueFrom"]["secretKeyRef"] == {"name": "redis", "key": "password"}
    assert "externalStorageNamespace" not in options
    assert "gcsFaultToleranceOptions" not in spec(ray_service_fault_tolerance=False)


def test_the_token_is_in_its_secret_and_nowhere_else() -> None:
    found = objects("ray_service", **RAY)
    token = one(found, "Secret", "ray")["stringData"]["auth_token"]
    assert len(token) == 32
    assert token not in json.dumps([item for item in found if item["kind"] != "Secret"], default=str)
    assert spec()["authOptions"] == {"mode": "token", "secretName": "ray"}


def annotations(**variables: t.Any) -> list[str]:
    """What says in the templates of head and workers that a secret is another one."""
    found = spec(**variables)
    templates = [found["headGroupSpec"]["template"], found["workerGroupSpecs"][0]["template"]]
    return [template["metadata"]["annotations"]["mlops.platform/secrets"] for template in templates]


@pytest.mark.parametrize(
    "change",
    [
        {"ray_service_auth_token_generation": 2},
        {"ray_service_auth_token": "given-token-of-the-user"},
        {"platform_master_key": "f" * 32},
        {"__ray_service_secrets": {"digest": "another"}},
    ],
)
def test_another_secret_makes_a_new_cluster(change: dict[str, t.Any]) -> None:
    assert all(before != after for before, after in zip(annotations(), annotations(**change), strict=True))
    assert annotations(ray_service_image="another") == annotations()


def test_the_digest_of_a_token_is_worth_nothing_without_the_master_key() -> None:
    token = "given-token-of-the-user"
    plain = hashlib.sha256(token.encode()).hexdigest()
    assert not any(plain.startswith(found) for found in annotations(ray_service_auth_token=token))
    with pytest.raises(AnsibleError, match="platform_master_key: it is empty"):
        annotations(ray_service_auth_token=token, platform_master_key="")


def test_the_secrets_that_are_looked_at_are_those_of_the_pods() -> None:
    def keys(**variables: t.Any) -> list[tuple[str, str]]:
        found = templar("ray_service", **RAY, **variables).template(
            trust_as_template("{{ __ray_service_secret_keys }}")
        )
        return [(item["secret"], item["key"]) for item in found]

    assert {("mlflow-ray", "password"), ("minio-ray", "secret_key"), ("redis", "password")} <= set(keys())
    assert ("redis", "password") not in keys(ray_service_fault_tolerance=False)


def check_name(**variables: t.Any) -> str:
    return str(templar("ray_service", **RAY, **variables).template(trust_as_template("{{ __ray_service_check }}")))


@pytest.mark.parametrize(
    "change",
    [
        {"ray_service_redis_secret": "other"},
        {"ray_service_node_selector": {"a": "b"}},
        {"ray_service_image_pull_secrets": ["other"]},
        {"ray_service_uid": 2000},
        {"__ray_service_secrets": {"digest": "another"}},
    ],
)
def test_whatever_the_check_depends_on_makes_another_check(change: dict[str, t.Any]) -> None:
    assert check_name(**change) != check_name()
    assert check_name(ray_service_resources={}) == check_name()


def test_a_name_is_once_in_the_environment_of_a_pod() -> None:
    found = worker(
        ray_service_environment={"MLFLOW_TRACKING_URI": "http://mine", "A": 1, "B": 1},
        ray_service_workers=group(environment={"A": 2, "AWS_ACCESS_KEY_ID": "key"}),
    )["template"]["spec"]["containers"][0]["env"]
    values = {item["name"]: item.get("value") for item in found}
    assert len(values) == len(found)
    assert [values[name] for name in ("MLFLOW_TRACKING_URI", "A", "B", "AWS_ACCESS_KEY_ID")] == [
        "http://mine",
        "2",
        "1",
        "key",
    ]


def test_workers_spread_softly_and_hand_their_replicas_over_before_they_end() -> None:
    pod = worker()["template"]["spec"]
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["whenUnsatisfiable"], spread["topologyKey"]) == ("ScheduleAnyway", "kubernetes.io/hostname")
    assert (
        spread["labelSelector"]["matchLabels"].items()
        <= worker()["template"]["metadata"]["labels"].items() | {"ray.io/node-type": "worker"}.items()
    )
    container = pod["containers"][0]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["python", "/etc/ray/drain.py"]
    drain = {item["name"]: item.get("value") for item in container["env"]}["RAY_DRAIN_SECONDS"]
    assert pod["terminationGracePeriodSeconds"] > int(drain)
    longer = worker(ray_service_drain_seconds=300)["template"]["spec"]
    assert longer["terminationGracePeriodSeconds"] > 300


def test_a_worker_starts_when_its_cluster_is_complete_and_is_ready_while_its_proxy_is() -> None:
    container = worker()["template"]["spec"]["containers"][0]
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert probes["startup"] == {"path": "/ready", "port": 8000}
    assert probes["readiness"] == {"path": "/-/healthz", "port": 8000}
    assert probes["liveness"]["port"] == 52365
    # Waiting is no fault: the start has a day.
    assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] >= 86400


EXTERNAL = {
    "mlops_redis_external": "cache.example.com:6390",
    "object_store_type": "external",
    "object_store_endpoint": "https://s3.example.com:8443",
}


def test_a_redis_that_clusters_share_has_the_clusters_name_before_the_id() -> None:
    def prefix(template: dict[str, t.Any]) -> list[t.Any]:
        env = template["template"]["spec"]["containers"][0]["env"]
        return [item["value"] for item in env if item["name"] == "REDIS_KEY_PREFIX"]

    found = one(objects("ray_service", **EXTERNAL), "RayService")["spec"]["rayClusterConfig"]
    assert prefix(found["headGroupSpec"]) == ["unit01"]
    assert prefix(found["workerGroupSpecs"][0]) == []
    assert found["gcsFaultToleranceOptions"]["redisAddress"] == "cache.example.com:6390"
    assert prefix(spec()["headGroupSpec"]) == []


def test_workers_trust_the_authority_of_mlflow_and_of_the_store() -> None:
    pod = worker(mlflow_tls={"secret": "mlflow-tls"}, minio_tls={"secret": "minio-tls"})["template"]["spec"]
    container = pod["containers"][0]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    for variable, secret in (("AWS_CA_BUNDLE", "minio-tls"), ("MLFLOW_TRACKING_SERVER_CERT_PATH", "mlflow-tls")):
        folder, _, file = environment[variable].rpartition("/")
        assert (volumes[mounts[folder]], file) == (secret, "ca.crt")
    assert "AWS_CA_BUNDLE" not in {one["name"] for one in worker()["template"]["spec"]["containers"][0]["env"]}


def test_what_lies_outside_the_cluster_is_reached() -> None:
    outside = Peer({}, address="203.0.113.9")
    labels = one(objects("ray_service", **RAY), "RayService")["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]
    head = Peer(labels["metadata"]["labels"])
    for variables, expected in ((EXTERNAL, True), (RAY, False)):
        policies = [item for item in objects("ray_service", **variables) if item["kind"] == "NetworkPolicy"]
        assert [reaches(policies, head, outside, port) for port in (6390, 8443)] == [expected, expected]
    without = [
        item
        for item in objects("ray_service", **EXTERNAL, ray_service_fault_tolerance=False)
        if item["kind"] == "NetworkPolicy"
    ]
    assert not reaches(without, head, outside, 6390)


def test_a_new_service_begins_with_the_list_of_models_on_every_worker() -> None:
    config = json.loads(service(ray_service_workers=group(replicas=3))["spec"]["serveConfigV2"])
    (application,) = config["applications"]
    assert (application["name"], application["route_prefix"]) == ("model-list", "/")
    assert application["deployments"][0]["num_replicas"] == 3
    assert application["deployments"][0]["max_replicas_per_node"] == 1
    assert application["deployments"][0]["ray_actor_options"]["num_cpus"] > 0


def test_every_volume_has_a_bound() -> None:
    for template in (spec()["headGroupSpec"]["template"], worker()["template"]):
        volumes = template["spec"]["volumes"]
        assert all(volume["emptyDir"]["sizeLimit"] for volume in volumes if "emptyDir" in volume)
        places = {mount["mountPath"] for mount in template["spec"]["containers"][0]["volumeMounts"]}
        assert {"/tmp", "/tmp/ray", "/spill"} <= places


def test_a_worker_gets_its_gpus_selectors_and_tolerations() -> None:
    found = worker(
        ray_service_workers=group(
            gpus=2, node_selector={"gpu": "yes"}, tolerations=[{"key": "gpu", "operator": "Exists"}]
        )
    )
    pod = found["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert pod["nodeSelector"] == {"gpu": "yes"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    # The operator takes other tolerations for no change.
    assert "mlops.platform/tolerations" in found["template"]["metadata"]["annotations"]


def test_the_cpus_that_ray_hands_out_are_those_of_the_limit_or_request() -> None:
    def cpus(**fields: t.Any) -> str:
        return str(worker(ray_service_workers=group(**fields))["rayStartParams"]["num-cpus"])

    assert cpus() == "1"
    assert cpus(resources={"requests": {"cpu": "1500m"}, "limits": {"memory": "1Gi"}}) == "2"
    assert cpus(resources={"requests": {"cpu": 1}, "limits": {"cpu": 4, "memory": "1Gi"}}) == "4"
    assert cpus(cpus=8) == "8"


@pytest.mark.parametrize(
    ("workers", "message"),
    [
        ([], "there is no worker"),
        (group(replicas=0), "there is no worker"),
        (group(resources={}), r"ray_service_workers[0].resources.requests.cpu: it is missing"),
        (group(resources={"requests": {"cpu": 1}}), "ray_service_workers[0].resources.limits.memory: it is missing"),
        (
            group(resources={"requests": {"cpu": "x"}, "limits": {"memory": "1Gi"}}),
            "requests.cpu: 'x' is not a quantity",
        ),
        (group(name="Big Ones"), "ray_service_workers[0].name: 'Big Ones'"),
        (group(replica=3), "ray_service_workers[0].replica: there is no such field"),
        (group(replicas="many"), "ray_service_workers[0].replicas: 'many' is not a whole number"),
        (group(min_replicas=5), "replicas 2 is not from min_replicas 5"),
        (group() + group(), "the name 'workers' is there twice"),
    ],
)
def test_a_wrong_group_is_named(workers: list[dict[str, t.Any]], message: str) -> None:
    with pytest.raises(AnsibleError) as error:
        service(ray_service_workers=workers)
    assert message in str(error.value)


def test_the_environment_may_come_from_secrets_that_are_not_there_yet() -> None:
    environment = {item["name"]: item for item in worker()["template"]["spec"]["containers"][0]["env"]}
    reference = environment["MLFLOW_TRACKING_URI"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "mlflow-ray", "key": "uri", "optional": True}
    with pytest.raises(AnsibleError, match=r"ray_service_secret_environment\.A: it needs secret and key"):
        service(ray_service_secret_environment={"A": {"secret": "b"}})


def test_who_deploys_may_change_one_service_and_of_it_the_applications_only() -> None:
    found = objects("ray_service", **RAY)
    (rule, events) = one(found, "Role", "ray-deploy")["rules"]
    assert rule["resourceNames"] == ["ray"]
    assert "update" not in rule["verbs"]
    assert events["verbs"] == ["list"]
    policy = one(found, "ValidatingAdmissionPolicy")["spec"]
    assert "object.spec.rayClusterConfig == oldObject.spec.rayClusterConfig" in policy["validations"][0]["expression"]
    assert "system:serviceaccount:mlops:notebook" in policy["matchConditions"][0]["expression"]
    assert "serveConfigV2" not in policy["validations"][0]["expression"]


def test_applications_that_would_not_fit_are_named() -> None:
    entry = {
        "name": "iris",
        "import_path": "a.b:c",
        "deployments": [{"name": "M", "num_replicas": 2, "max_replicas_per_node": 1}],
    }
    found = [{"name": "iris", "entry": entry, "built_in": False}, {"name": "model-list", "entry": {}, "built_in": True}]
    assert ray_applications.ray_check_applications(found, 2) == ["iris"]
    with pytest.raises(AnsibleError, match=r"application 'iris' would not fit: .*num_replicas: 2"):
        ray_applications.ray_check_applications(found, 1)


def test_an_application_that_only_ray_understands_does_not_stand_in_the_way() -> None:
    entry = {"import_path": "app", "host": "::", "deployments": [{"name": "M", "num_replicas": 9}]}
    found = [{"name": "default", "entry": entry, "built_in": False}]
    assert ray_applications.ray_check_applications(found, 1) == ["default"]


def test_what_is_saved_is_what_a_new_installation_deploys() -> None:
    entry = {"name": "iris", "import_path": "a.b:c", "args": {"ü": 1}}
    found = [{"name": "model-list", "entry": {}, "built_in": True}, {"name": "iris", "entry": entry, "built_in": False}]
    assert ray_applications.ray_missing_applications(ray_applications.ray_saved_applications(found), []) == [entry]
    assert (
        ray_applications.ray_missing_applications(ray_applications.ray_saved_applications(found), [{"name": "iris"}])
        == []
    )
    assert ray_applications.ray_missing_applications("", []) == []
    with pytest.raises(AnsibleError, match="the saved list of applications cannot be read"):
        ray_applications.ray_missing_applications("[]", [])


def test_only_troubles_are_told() -> None:
    found = [{"name": "a", "status": "RUNNING", "message": ""}, {"name": "b", "status": "UNHEALTHY", "message": "no"}]
    assert ray_applications.ray_troubles(found) == "\napplication b: UNHEALTHY no"


def test_the_operator_has_rights_in_the_watched_namespaces_only() -> None:
    found = objects("kuberay_operator", kuberay_operator_watch_namespaces=["a", "b"])
    kinds = {item["kind"] for item in found}
    assert "ClusterRole" not in kinds
    roles = [item for item in found if item["kind"] == "Role" and item["metadata"]["name"] == "kuberay-operator"]
    assert [item["metadata"]["namespace"] for item in roles] == ["a", "b"]
    arguments = one(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--watch-namespace=a,b" in arguments


@pytest.mark.parametrize(("replicas", "elects"), [(1, "false"), (2, "true")])
def test_two_operators_elect_a_leader(replicas: int, elects: str) -> None:
    found = one(objects("kuberay_operator", kuberay_operator_replicas=replicas), "Deployment")["spec"]
    assert f"--enable-leader-election={elects}" in found["template"]["spec"]["containers"][0]["args"]


def test_the_operator_does_not_hold_a_cluster_whose_redis_is_away() -> None:
    found = one(objects("kuberay_operator"), "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "ENABLE_GCS_FT_REDIS_CLEANUP", "value": "false"} in found


def test_the_crds_are_pinned() -> None:
    crds = yaml.safe_load((ROOT / "roles/kuberay_operator/defaults/main.yml").read_text())["kuberay_operator_crds"]
    assert all(len(item["sha256"]) == 64 for item in crds)


def test_who_reaches_ray_and_whom_it_reaches() -> None:
    found = {role: objects(role, **RAY) for role in ("ray_service", "kuberay_operator", "redis", "mlflow")}
    policies = [item for objs in found.values() for item in objs if item["kind"] == "NetworkPolicy"]
    cluster = one(found["ray_service"], "RayService")["spec"]["rayClusterConfig"]
    head = Peer(cluster["headGroupSpec"]["template"]["metadata"]["labels"])
    worker = Peer(cluster["workerGroupSpecs"][0]["template"]["metadata"]["labels"])
    operator, redis, mlflow = (
        Peer(one(found[role], kind)["spec"]["template"]["metadata"]["labels"])
        for role, kind in (("kuberay_operator", "Deployment"), ("redis", "StatefulSet"), ("mlflow", "Deployment"))
    )
    user, stranger = Peer({"mlops.platform/uses-ray": "true"}), Peer({"app": "other"})
    assert reaches(policies, worker, head, 6379)
    assert reaches(policies, head, worker, 40000)
    assert reaches(policies, operator, head, 8265)
    assert reaches(policies, user, worker, 8000)
    assert reaches(policies, head, redis, 6379)
    assert reaches(policies, worker, mlflow, 5000)
    assert not reaches(policies, user, head, 8265)
    assert not reaches(policies, stranger, worker, 8000)
    assert not reaches(policies, operator, redis, 6379)
    assert not reaches(policies, redis, worker, 8000)
