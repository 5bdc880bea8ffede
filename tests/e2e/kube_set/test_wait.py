"""Waiting on a cluster with a kubelet: what becomes ready, what cannot, and what the message says."""

from __future__ import annotations

import re
import threading
import time
import typing as t

import pytest
from e2e.kube_set.kinds import RESTRICTED, before, merged
from e2e.kube_set.support import MERGE, Object, Space

from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import opened
from ansible_collections.mlops.platform.plugins.module_utils._kube.wait import NotReadyError

GRACE = 3.0
LABELS = {"app": "waiting"}
PROBE = {"tcpSocket": {"port": 1053}, "periodSeconds": 1}
# The lab's CoreDNS has few plugins, and none of them is in its default configuration: the pod carries its own.
COREFILE = {"mlops.test/corefile": ".:1053 {\n    errors\n}\n"}
FROM_ANNOTATION = [{"path": "Corefile", "fieldRef": {"fieldPath": "metadata.annotations['mlops.test/corefile']"}}]
SERVING: Object = {
    "args": ["-conf=/conf/Corefile"],
    "readinessProbe": PROBE,
    "volumeMounts": [{"name": "conf", "mountPath": "/conf"}],
}


def spec(image: str, **more: t.Any) -> Object:
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "securityContext": RESTRICTED}
    container.update(more.pop("container", {}))
    return {"containers": [container], "terminationGracePeriodSeconds": 0, **more}


def serving(image: str, **more: t.Any) -> Object:
    """A pod that becomes ready: CoreDNS."""
    volumes = [{"name": "conf", "downwardAPI": {"items": FROM_ANNOTATION}}]
    return spec(image, container=SERVING, volumes=volumes, **more)


def workload(kind: str, pod: Object, **more: t.Any) -> Object:
    fields: Object = {
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS, "annotations": COREFILE}, "spec": pod},
        **more,
    }
    if kind == "StatefulSet":
        fields["serviceName"] = "waiting"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "waiting"}, "spec": fields}


def job(pod: Object, **more: t.Any) -> Object:
    fields = {"template": {"spec": {"restartPolicy": "Never", **pod}}, **more}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "waiting"}, "spec": fields}


def waits(space: Space, *objects: Object, timeout: float = 60) -> None:
    space.present(*objects, wait=True, wait_timeout=timeout, wait_grace=GRACE)


def refusal(space: Space, *objects: Object, timeout: float = 60) -> str:
    started = time.monotonic()
    with pytest.raises(NotReadyError) as caught:
        waits(space, *objects, timeout=timeout)
    assert time.monotonic() - started < 45, "the wait did not end early"
    return str(caught.value)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_workload_becomes_ready_and_its_new_form_too(space: Space, program_image: str, kind: str) -> None:
    first = workload(kind, serving(program_image))
    waits(space, first)
    assert f"{kind} {space.name}/waiting: ready" in space.progress
    second = workload(kind, serving(program_image, hostname="second"))
    waits(space, second)
    status = space.get("apps/v1", kind, "waiting")["status"]
    assert 1 in (status.get("updatedReplicas"), status.get("updatedNumberScheduled"))
    with space.client.recording() as sent:
        waits(space, second)
    assert not [target for _method, target in sent if "watch=true" in target], "what is ready is not watched"


def test_an_image_that_cannot_be_had_ends_the_wait(space: Space) -> None:
    text = refusal(space, workload("Deployment", spec("registry.invalid/none:1")))
    assert f"Deployment {space.name}/waiting" in text
    assert "container main" in text
    assert any(reason in text for reason in ("ErrImagePull", "ImagePullBackOff"))
    assert "event Warning Failed" in text


def test_a_crash_loop_shows_exit_code_and_log(space: Space, program_image: str) -> None:
    container = {"args": ["-no-such-option"]}
    text = refusal(space, workload("StatefulSet", spec(program_image, container=container)), timeout=90)
    assert "container main" in text
    assert re.search(r"terminated Error exit code \d", text)
    assert "restarts" in text
    assert "| flag provided but not defined: -no-such-option" in text


def test_a_pod_that_no_node_can_take(space: Space, pause_image: str) -> None:
    text = refusal(space, workload("Deployment", spec(pause_image, nodeSelector={"none": "such"})))
    assert "condition PodScheduled=False: Unschedulable" in text


def test_a_volume_that_cannot_be_mounted(space: Space, pause_image: str) -> None:
    mount = {"volumeMounts": [{"name": "secret", "mountPath": "/secret"}]}
    volumes = [{"name": "secret", "secret": {"secretName": "none-such"}}]
    text = refusal(space, workload("Deployment", spec(pause_image, container=mount, volumes=volumes)))
    assert "FailedMount" in text
    assert "none-such" in text


def test_a_pod_that_admission_refuses(space: Space, pause_image: str) -> None:
    privileged = {"securityContext": {"privileged": True}}
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    space.client.request("PATCH", f"/api/v1/namespaces/{space.name}", None, label, MERGE)
    with pytest.raises(NotReadyError) as caught:
        waits(space, workload("Deployment", spec(pause_image, container=privileged)), timeout=3)
    assert "condition ReplicaFailure=True: FailedCreate" in str(caught.value)
    assert "violates PodSecurity" in str(caught.value)


def test_a_stateful_set_recovers_from_a_form_that_cannot_start(space: Space, program_image: str) -> None:
    """Kubernetes itself waits for ever for the pod of the bad revision."""
    refusal(space, workload("StatefulSet", spec("registry.invalid/none:1")))
    waits(space, workload("StatefulSet", serving(program_image)))
    assert any("its old revision holds the update" in line for line in space.progress)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_repair_is_not_judged_by_the_pods_of_the_old_form(space: Space, program_image: str, kind: str) -> None:
    """The new pod takes longer than the grace to become ready; meanwhile the old one looks as sick as before."""
    refusal(space, workload(kind, spec("registry.invalid/none:1")))
    slow = serving(program_image)
    slow["containers"][0]["readinessProbe"] = {**PROBE, "initialDelaySeconds": int(GRACE) + 5}
    waits(space, workload(kind, slow))
    assert f"{kind} {space.name}/waiting: ready" in space.progress


def test_a_new_form_that_is_sick_too_ends_the_wait(space: Space) -> None:
    refusal(space, workload("Deployment", spec("registry.invalid/none:1")))
    text = refusal(space, workload("Deployment", spec("registry.invalid/none:2")))
    assert "registry.invalid/none:2" in text
    assert "registry.invalid/none:1" not in text, "the pod of the old form is no part of the message"


def test_the_value_of_a_secret_of_others_is_hidden_in_a_log(space: Space, program_image: str) -> None:
    secret = {"metadata": {"name": "theirs"}, "stringData": {"word": "hush-hush-hush"}}
    path = space.resource("v1", "Secret").path(space.name)
    space.client.request("POST", path, None, secret)
    container = {
        "args": ["-$(WORD)"],
        "env": [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "theirs", "key": "word"}}}],
    }
    engine = space.engine(wait=True, wait_timeout=90, wait_grace=GRACE)
    with pytest.raises(NotReadyError) as caught:
        engine.present(opened(workload("Deployment", spec(program_image, container=container)), "test"))
    assert "hush-hush-hush" in str(caught.value), "the container says it"
    assert "flag provided but not defined: -***" in engine.mask.text(str(caught.value))
    space.client.request("DELETE", f"{path}/theirs")


def test_a_job_completes_or_its_failure_is_told(space: Space, program_image: str) -> None:
    done = job(spec(program_image, container={"args": ["-version"]}))
    waits(space, done)
    fails = job(spec(program_image, container={"args": ["-no-such-option"]}), backoffLimit=0)
    fails["metadata"]["name"] = "failing"
    text = refusal(space, done, fails)
    assert f"Job {space.name}/failing: BackoffLimitExceeded" in text
    assert "exit code" in text


def test_a_single_pod(space: Space, pause_image: str) -> None:
    waits(space, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "waiting"}, "spec": spec(pause_image)})


def test_an_object_that_somebody_removes_ends_the_wait(space: Space, pause_image: str) -> None:
    path = space.path("apps/v1", "Deployment", "waiting")

    def remove() -> None:
        while not space.client.find(path):
            time.sleep(0.05)
        space.client.request("DELETE", path)

    thread = threading.Thread(target=remove)
    thread.start()
    text = refusal(space, workload("Deployment", spec(pause_image, nodeSelector={"none": "such"})))
    thread.join()
    assert "somebody removed it" in text


def test_a_claim_that_is_not_bound(space: Space) -> None:
    with pytest.raises(NotReadyError, match=r"PersistentVolumeClaim .*/data: phase Pending"):
        waits(space, before("PersistentVolumeClaim", space.name), timeout=2)
    space.absent(remove_claims=True)


def test_a_claim_that_waits_for_a_pod_is_not_waited_for(space: Space) -> None:
    storage_class = merged(before("StorageClass", space.name), {"volumeBindingMode": "WaitForFirstConsumer"})
    claim = before("PersistentVolumeClaim", space.name)
    claim["spec"]["storageClassName"] = storage_class["metadata"]["name"]
    waits(space, storage_class, claim, timeout=5)
    assert space.get("v1", "PersistentVolumeClaim", "data")["status"]["phase"] == "Pending"
    space.absent(remove_claims=True)


def test_a_load_balancer_without_an_address(space: Space) -> None:
    service = before("Service", space.name)
    service["spec"]["type"] = "LoadBalancer"
    service["metadata"]["name"] = "balanced"
    with pytest.raises(NotReadyError, match="no address of a load balancer"):
        waits(space, service, timeout=1)
    patch = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    path = space.path("v1", "Service", "balanced") + "/status"
    threading.Timer(0.5, lambda: space.client.request("PATCH", path, None, patch, MERGE)).start()
    waits(space, service, timeout=20)


@pytest.fixture
def ray_service(space: Space) -> tuple[Object, Object]:
    """A definition with the name and the status of a RayService, in a group of the test's own, and one object of it."""
    crd = before("CustomResourceDefinition", space.name)
    crd["spec"]["versions"][0]["subresources"] = {"status": {}}
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    schema["status"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    thing = {
        "apiVersion": f"{space.name}.example/v1",
        "kind": "Thing",
        "metadata": {"name": "one"},
        "spec": {"size": 1},
    }
    return crd, thing


def test_a_custom_kind_by_its_standard_conditions(space: Space, ray_service: tuple[Object, Object]) -> None:
    crd, thing = ray_service
    space.present(crd, thing)
    path = space.engine().resources.find(thing["apiVersion"], "Thing").path(space.name, "one")

    def say(status: str, reason: str) -> None:
        generation = space.client.get(path)["metadata"]["generation"]
        condition = {"type": "Ready", "status": status, "reason": reason, "message": "says the operator"}
        body = {"status": {"observedGeneration": generation, "conditions": [condition]}}
        space.client.request("PATCH", path + "/status", None, body, MERGE)

    say("False", "Starting")
    with pytest.raises(NotReadyError, match="Starting: says the operator"):
        waits(space, crd, thing, timeout=1)
    threading.Timer(0.5, say, ("True", "Running")).start()
    waits(space, crd, thing, timeout=20)
    thing["spec"]["size"] = 2
    with pytest.raises(NotReadyError, match="has not seen it yet"):
        waits(space, crd, thing, timeout=1)
    space.client.request("DELETE", path, None, {"propagationPolicy": "Background"})


def test_a_custom_object_that_its_controller_has_not_seen_yet(space: Space, ray_service: tuple[Object, Object]) -> None:
    """It has no conditions at first: they are waited for, but not for ever, and only after a change."""
    crd, thing = ray_service
    space.present(crd)
    path = space.engine().resources.find(thing["apiVersion"], "Thing").path(space.name, "one")

    def say() -> None:
        while not space.client.find(path):
            time.sleep(0.05)
        condition = {"type": "Ready", "status": "False", "reason": "Starting", "message": "says the operator"}
        space.client.request("PATCH", path + "/status", None, {"status": {"conditions": [condition]}}, MERGE)

    thread = threading.Thread(target=say)
    thread.start()
    with pytest.raises(NotReadyError, match="Starting: says the operator"):
        waits(space, crd, thing, timeout=12)
    thread.join()
    silent = merged(thing, {"metadata": {"name": "silent"}})
    waits(space, crd, silent, timeout=30)
    said = [line for line in space.progress if line.startswith("Thing") and "silent" in line]
    assert said == [
        f"Thing {space.name}/silent: its controller has not said anything yet",
        f"Thing {space.name}/silent: ready",
    ]
    with space.client.recording() as sent:
        waits(space, crd, silent)
    assert not [target for _method, target in sent if "watch=true" in target], "an unchanged one is ready"
    space.client.request("DELETE", f"{path.rpartition('/')[0]}/silent", None, {"propagationPolicy": "Background"})
