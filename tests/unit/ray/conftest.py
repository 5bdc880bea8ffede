# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes API with one RayService, and an operator that works in rounds as KubeRay 1.6.2 does."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._ray import ConflictError, serve_config
from ansible_collections.mlops.platform.plugins.module_utils._ray.service import Service

Object = dict[str, t.Any]
BUILT_IN = {"name": "model-list", "import_path": "mlops_gate.app:build", "route_prefix": "/"}


class FakeKube:
    """What a client of the API sees. Each watch lets the operator work for some rounds.

    ``outcomes`` says how an application ends, by its import path: RUNNING at once where nothing is said.
    ``refuse`` is what Ray says to a configuration.
    """

    def __init__(self, entries: t.Sequence[Object] = (BUILT_IN,), workers: int = 2) -> None:
        text = serve_config.dump({"applications": list(entries)})
        groups = [{"groupName": "workers", "replicas": workers, "minReplicas": workers, "maxReplicas": workers}]
        self.service: Object = {
            "metadata": {"name": "ray", "namespace": "mlops", "generation": 1, "resourceVersion": "1"},
            "spec": {"serveConfigV2": text, "rayClusterConfig": {"workerGroupSpecs": groups}},
            "status": {},
        }
        self.cluster: Object = {"metadata": {"resourceVersion": "7"}, "spec": {"workerGroupSpecs": groups}}
        self.submitted = ""
        self.running: dict[str, Object] = {}
        self.outcomes: dict[str, tuple[str, str]] = {}
        self.refuse: t.Callable[[Object], str] = lambda _config: ""
        self.head_away = False
        self.events: list[Object] = []
        self.patches: list[Object] = []
        self.work(2)

    @property
    def config(self) -> Object:
        """The Serve configuration in the object."""
        return serve_config.parse(self.service["spec"]["serveConfigV2"])

    @property
    def names(self) -> list[str]:
        """The applications in the object."""
        return [entry["name"] for entry in serve_config.entries(self.config)]

    def get(self, path: str, query: t.Mapping[str, t.Any]) -> Object | None:
        """The RayService, its RayCluster, or its events."""
        if path.endswith("/events"):
            return {"items": copy.deepcopy(self.events)}
        if "/rayclusters/" in path:
            return copy.deepcopy(self.cluster)
        if path.endswith("/rayservices/ray"):
            return copy.deepcopy(self.service)
        return None

    def patch(self, path: str, query: t.Mapping[str, t.Any], body: Object) -> Object:
        """Change the RayService or the RayCluster."""
        target = self.cluster if "/rayclusters/" in path else self.service
        if body["metadata"]["resourceVersion"] != target["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified")
        self.patches.append(body)
        self.write(target, body["spec"])
        return copy.deepcopy(target)

    def write(self, target: Object, spec: Object) -> None:
        """Write fields of the spec."""
        if any(target["spec"].get(key) != value for key, value in spec.items()):
            target["spec"].update(spec)
            target["metadata"]["generation"] = target["metadata"].get("generation", 0) + 1
            self.touch(target)

    @staticmethod
    def touch(target: Object) -> None:
        """Another version of an object."""
        target["metadata"]["resourceVersion"] = str(int(target["metadata"]["resourceVersion"]) + 1)

    def watch(self, path: str, query: t.Mapping[str, t.Any], seconds: float) -> t.Iterator[Object]:
        """One round of the operator, and the object if it changed."""
        before = copy.deepcopy(self.service)
        self.work(1)
        if self.service != before:
            yield copy.deepcopy(self.service)

    def work(self, rounds: int) -> None:
        """Ask Ray, hand the configuration over if it is new, then report."""
        for _round in range(rounds):
            text = self.service["spec"]["serveConfigV2"]
            report = {} if self.head_away else self.report()
            if not self.head_away and text != self.submitted and not self.submit(text):
                return
            status = {
                "observedGeneration": self.service["metadata"]["generation"],
                "activeServiceStatus": {"rayClusterName": "ray-1", "applicationStatuses": report},
            }
            if status != self.service["status"]:
                self.service["status"] = status
                self.touch(self.service)

    def report(self) -> Object:
        """How the applications do now; one that was just deployed is well a round later."""
        found = {}
        for name, entry in self.running.items():
            status, message = self.outcomes.get(entry["import_path"], ("RUNNING", ""))
            new = entry.pop("new", False)
            found[name] = {"status": "DEPLOYING" if new else status, "message": message}
        return found

    def submit(self, text: str) -> bool:
        """Hand a configuration over to Ray."""
        config = json.loads(text)
        why = self.refuse(config)
        if why:
            message = f"Failed to update serve applications: UpdateDeployments fail: {why}"
            self.events.append({"metadata": {"uid": str(len(self.events))}, "count": 1, "message": message})
            return False
        self.submitted = text
        for entry in config["applications"]:
            old = self.running.get(entry["name"])
            if old != entry:
                self.running[entry["name"]] = {**entry, "new": True}
        for name in set(self.running) - {entry["name"] for entry in config["applications"]}:
            del self.running[name]
        return True


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


@pytest.fixture
def service(kube: FakeKube) -> Service:
    return Service(kube, "mlops", "ray")
