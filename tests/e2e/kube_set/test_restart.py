"""A real API server is killed and started again in the middle of a run. It is one of the test's own, not the lab's."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from e2e.conftest import processes
from e2e.kube_set.control_plane import ADMIN, USER, ControlPlane
from e2e.kube_set.kinds import before
from e2e.kube_set.support import MERGE, Object, Recorder, Space, writes

from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client, Response
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import opened

pytestmark = pytest.mark.full
KINDS = ("ConfigMap", "Secret", "Service", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy")
NAMESPACE = "restart"
# The user gets her rights by a role, which a server that has just started does not know for a moment.
RIGHTS: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "ana"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ana"}],
}


@pytest.fixture(scope="module")
def plane(lab: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[ControlPlane]:
    record = processes(next(iter(lab["clusters"].values()))).read("kube-apiserver")
    assert record is not None
    with ControlPlane(record.argv[0], tmp_path_factory.mktemp("plane")) as made, made.client(ADMIN) as admin:
        admin.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", None, RIGHTS)
        admin.request("POST", "/api/v1/namespaces", None, {"metadata": {"name": NAMESPACE}})
        yield made


@pytest.fixture
def admin(plane: ControlPlane) -> t.Iterator[Recorder]:
    with plane.client(ADMIN) as client:
        yield client


def many(copies: int) -> list[Object]:
    found = []
    for number in range(copies):
        for kind in KINDS:
            obj = before(kind, NAMESPACE)
            obj["metadata"]["name"] += f"-{number}"
            found.append(obj)
    return found


class Restarting(Client):
    """A client that lets its server die in the middle of the real changes."""

    def __init__(self, plane: ControlPlane, after: int) -> None:
        super().__init__(plane.connection(USER), workers=4)
        self.plane = plane
        self.left = after
        self.counting = threading.Lock()
        self.restarted = False

    def _once(self, method: str, target: str, payload: bytes | None, content_type: str) -> Response:
        if writes([(method, target)]):
            with self.counting:
                self.left -= 1
                if self.left == 0:
                    self.plane.restart(1)
                    self.restarted = True
        return super()._once(method, target, payload, content_type)


def test_a_server_that_restarts_while_objects_are_applied(plane: ControlPlane, admin: Recorder) -> None:
    space = Space(admin, NAMESPACE)
    wanted = many(6)
    with Restarting(plane, after=20) as client:
        documents = [document for obj in wanted for document in opened(obj, "test")]
        done = space.engine(client=client).present(documents).result()
        assert client.restarted
    assert len(done["created"]) == len(wanted)
    assert not space.present(*wanted).result()["changed"]
    assert len(space.absent().result()["pruned"]) == len(wanted)


def test_a_server_that_restarts_while_a_set_waits(plane: ControlPlane, admin: Recorder) -> None:
    """A claim that no controller binds: the test does it, after the server is back."""
    space = Space(admin, NAMESPACE)
    path = space.path("v1", "PersistentVolumeClaim", "data")

    def trouble() -> None:
        while not any("phase Pending" in line for line in space.progress):
            time.sleep(0.05)
        plane.restart(1)
        plane.await_ready()
        admin.request("PATCH", path + "/status", None, {"status": {"phase": "Bound"}}, MERGE)

    thread = threading.Thread(target=trouble)
    with Client(plane.connection(USER)) as client:
        documents = opened(before("PersistentVolumeClaim", NAMESPACE), "test")
        engine = space.engine(client=client, wait=True, wait_timeout=90)
        thread.start()
        try:
            engine.present(documents)
        finally:
            thread.join()
    assert space.progress[-1] == f"PersistentVolumeClaim {NAMESPACE}/data: ready"
