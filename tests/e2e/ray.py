"""Ray on the lab as tests see it: its state, its replicas, and requests at a fixed rate."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

from e2e.cluster import RESTRICTED, Cluster

LOAD = Path(__file__).with_name("load.py")
CLIENT = "load"
PROBE = {
    "name": "probe",
    "import_path": "mlops_gate.probe:build",
    "deployments": [{"name": "Probe", "num_replicas": 2, "ray_actor_options": {"num_cpus": 0.1}}],
}
Object = dict[str, t.Any]
SMALL = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}}
WORKERS = [{"name": "workers", "replicas": 2, "cpus": 2, "resources": SMALL}]


def platform_variables(cluster: Cluster) -> Object:
    """Variables of a small Ray for tests. KubeRay's CRDs belong to the platform, where it runs."""
    crds = "customresourcedefinition/rayservices.ray.io"
    there = cluster.kubectl("get", crds, "--ignore-not-found", "-o", "name").strip()
    return {
        **({"kuberay_operator_crds": []} if there else {}),
        "ray_service_workers": WORKERS,
        "ray_service_resources": SMALL,
        "ray_service_wait_timeout": 900,
    }


@dataclasses.dataclass
class Request:
    """One request of a load."""

    sent: float
    seconds: float
    status: str
    again: str
    body: str

    @property
    def failed(self) -> bool:
        return self.status != "200"

    @property
    def lost(self) -> bool:
        """Whether the second attempt failed too."""
        return self.failed and self.again != "200"


class Load:
    """Requests at a fixed rate, from a pod of the cluster; leaving the context ends them."""

    def __init__(self, ray: Ray, path: str = "/probe", rate: float = 50) -> None:
        self.ray, self.path, self.rate = ray, path, rate
        self.requests: list[Request] = []

    def __enter__(self) -> Load:
        script = LOAD.read_text()
        command = ["exec", "-i", CLIENT, f"--namespace={self.ray.namespace}", "--", "python", "-u", "-c", script]
        # A file, because nobody reads a pipe meanwhile, and a full one would hold the requests up.
        self.out = tempfile.TemporaryFile("w+")
        self.process = self.ray.cluster.popen(
            *command, "ray-serve", "8000", self.path, str(self.rate), stdin=subprocess.PIPE, stdout=self.out
        )
        return self

    def wait_running(self) -> None:
        """Return when the first answer has come."""
        self.ray.wait(lambda: os.fstat(self.out.fileno()).st_size > 0, 60)

    def __exit__(self, *_error: object) -> None:
        self.process.communicate(timeout=300)
        self.out.seek(0)
        for line in self.out:
            sent, seconds, status, again, body = line.rstrip("\n").split("\t", 4)
            self.requests.append(Request(float(sent), float(seconds), status, again, body))
        self.out.close()

    @property
    def failed(self) -> list[Request]:
        return [request for request in self.requests if request.failed]

    @property
    def lost(self) -> list[Request]:
        return [request for request in self.requests if request.lost]

    def row(self) -> dict[str, t.Any]:
        """Numbers for a table."""
        seconds = sorted(request.seconds for request in self.requests)
        return {
            "sent": len(self.requests),
            "failed": len(self.failed),
            "failed twice": len(self.lost),
            "p50 ms": round(1000 * seconds[len(seconds) // 2]),
            "p99 ms": round(1000 * seconds[int(len(seconds) * 0.99)]),
            "slowest s": round(seconds[-1], 2),
        }


@dataclasses.dataclass
class Ray:
    """A RayService of the lab."""

    cluster: Cluster
    namespace: str

    def service(self) -> Object:
        """The RayService."""
        return t.cast("Object", self.cluster.get("rayservice", "ray", f"--namespace={self.namespace}"))

    def pods(self, kind: str) -> list[Object]:
        """Pods of a kind, head or worker, that are not on their way out."""
        selector = f"--selector=ray.io/node-type={kind}"
        items = self.cluster.get("pods", f"--namespace={self.namespace}", selector)["items"]
        return [pod for pod in items if not pod["metadata"].get("deletionTimestamp")]

    def names(self, kind: str) -> list[str]:
        """Names of such pods."""
        return sorted(pod["metadata"]["name"] for pod in self.pods(kind))

    def applications(self) -> dict[str, str]:
        """The status of each application of the cluster that serves."""
        active = (self.service().get("status") or {}).get("activeServiceStatus") or {}
        return {name: item["status"] for name, item in (active.get("applicationStatuses") or {}).items()}

    def ray_cluster(self) -> str:
        """The name of the cluster that serves."""
        return str(self.service()["status"]["activeServiceStatus"]["rayClusterName"])

    def whole(self, workers: int) -> dict[str, str]:
        """The applications, if head, workers and applications are all well and no upgrade is under way; else none."""
        pods = self.pods("head"), self.pods("worker")
        if (len(pods[0]), len(pods[1])) != (1, workers) or not all(is_ready(pod) for kind in pods for pod in kind):
            return {}
        status = self.service().get("status") or {}
        pending = (status.get("pendingServiceStatus") or {}).get("rayClusterName")
        applications = self.applications()
        return applications if not pending and set(applications.values()) == {"RUNNING"} else {}

    def is_whole(self, workers: int) -> bool:
        """Whether all is well."""
        return bool(self.whole(workers))

    def wait(self, what: t.Callable[[], bool], limit: float = 600) -> float:
        """Ask until it is so; the seconds that it took."""
        started = time.monotonic()
        while not what():
            assert time.monotonic() - started < limit, f"not in {limit} s: {what}\n{self.picture()}"
            time.sleep(0.3)
        return time.monotonic() - started

    def picture(self) -> str:
        """What is there, for a message."""
        pods = self.cluster.kubectl("get", "pods", f"--namespace={self.namespace}", "-o", "wide")
        return pods + json.dumps(self.service().get("status"), indent=1)

    def start_client(self, image: str, pull_secret: str) -> None:
        """The pod that requests are sent from."""
        container = {
            "name": "main",
            "image": image,
            "command": ["sleep", "infinity"],
            "securityContext": RESTRICTED,
            # Without it the client itself would stand still where the machine is busy, and its own pauses would count.
            "resources": {"requests": {"cpu": "200m"}},
        }
        spec = {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsUser": 1000, "runAsGroup": 100},
            "containers": [container],
            "imagePullSecrets": [{"name": pull_secret}],
        }
        meta = {"name": CLIENT, "namespace": self.namespace, "labels": {"mlops.platform/uses-ray": "true"}}
        self.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        self.cluster.wait("condition=Ready", f"pod/{CLIENT}", self.namespace)

    def replicas(self, path: str = "/probe", requests: int = 60) -> dict[str, Object]:
        """Each replica's newest answer: who it is, since when, and how many requests it has answered."""
        script = (
            "import json, sys, urllib.request\n"
            "for _ in range(int(sys.argv[2])):\n"
            "    print(urllib.request.urlopen('http://ray-serve:8000' + sys.argv[1], timeout=20).read().decode())\n"
        )
        out = self.cluster.execute(self.namespace, CLIENT, "python", "-c", script, path, str(requests))
        found: dict[str, Object] = {}
        for line in out.splitlines():
            answer = json.loads(line)
            found[answer["replica"]] = answer
        return found


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
