# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles ray_service and kuberay_operator make of their variables."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleError
from reachability import Peer, reaches
from rendering import ROOT, objects, one

from ansible_collections.mlops.platform.plugins.filter import ray

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
    found = [{"entry": entry, "built_in": False}, {"entry": {"name": "model-list"}, "built_in": True}]
    assert ray.ray_check_applications(found, 2) == ["iris"]
    with pytest.raises(AnsibleError, match=r"application 'iris' would not fit: .*num_replicas: 2"):
        ray.ray_check_applications(found, 1)


def test_an_application_that_only_ray_understands_does_not_stand_in_the_way() -> None:
    foreign = {
        "name": "théirs",
        "import_path": "app",
        "host": "0.0.0.0",
        "deployments": [{"name": "M", "num_replicas": 9}],
    }
    assert ray.ray_check_applications([{"entry": foreign, "built_in": False}], 1) == ["théirs"]
    assert ray.ray_check_applications([{"entry": {"import_path": "a:b"}, "built_in": False}], 1) == [""]


def test_what_is_saved_is_what_a_new_installation_deploys() -> None:
    entry = {"name": "iris", "import_path": "a.b:c", "args": {"ü": 1}}
    found = [{"entry": {"name": "model-list"}, "built_in": True}, {"entry": entry, "built_in": False}]
    assert ray.ray_applications_of(ray.ray_saved_applications(found)) == [entry]
    assert ray.ray_applications_of("") == []
    with pytest.raises(AnsibleError, match="the saved list of applications cannot be read"):
        ray.ray_applications_of("[]")


def test_only_troubles_are_told() -> None:
    found = [{"name": "a", "status": "RUNNING", "message": ""}, {"name": "b", "status": "UNHEALTHY", "message": "no"}]
    assert ray.ray_troubles(found) == "\napplication b: UNHEALTHY no"


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
