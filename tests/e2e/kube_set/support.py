"""What the tests of kube_set share: a client that records, and a namespace in which sets are applied."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._kube import options
from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client, Response
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document, opened, parse
from ansible_collections.mlops.platform.plugins.module_utils._kube.engine import Engine, Outcome
from ansible_collections.mlops.platform.plugins.module_utils._kube.mask import Mask
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import SET_LABEL
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import Resource, Resources

Object = dict[str, t.Any]
MERGE = "application/merge-patch+json"
REVISION = "deployment.kubernetes.io/revision"
APPLY = "application/apply-patch+yaml"
KEEPER: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keeper"}}  # a set is never empty


class Recorder(Client):
    """A client that remembers which requests it sent."""

    sent: t.ClassVar[list[tuple[str, str]]] = []

    def _once(self, method: str, target: str, payload: bytes | None, content_type: str) -> Response:
        self.sent.append((method, target))
        return super()._once(method, target, payload, content_type)

    @contextlib.contextmanager
    def recording(self) -> t.Iterator[list[tuple[str, str]]]:
        """The requests that are sent meanwhile."""
        self.sent.clear()
        found: list[tuple[str, str]] = []
        yield found
        found += self.sent


def failed_status() -> Object:
    """The status of a Job that has failed."""
    now = "2026-01-01T00:00:00Z"
    ended = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
        for kind in ("FailureTarget", "Failed")
    ]
    return {"startTime": now, "conditions": ended}


def writes(sent: t.Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The requests that change something."""
    return [(method, target) for method, target in sent if method != "GET" and "dryRun=All" not in target]


class Space:
    """A namespace and the sets in it."""

    def __init__(self, client: Recorder, name: str) -> None:
        self.client = client
        self.name = name
        self.resources = Resources(client)
        self.progress: list[str] = []
        self.sets: set[str] = set()

    def deadline(self, seconds: float = 60) -> float:
        """A deadline from now."""
        return time.monotonic() + seconds

    def engine(self, name: str = "demo", client: Client | None = None, **given: t.Any) -> Engine:
        """An engine for a set of this namespace."""
        self.sets.add(name)
        set_id = options.set_id(self.name, name)
        given["not_owned"] = options.not_owned(given.get("not_owned"), self.name)
        chosen = options.Options(set_id=set_id, **{"wait": False, "wait_timeout": 60, "diff": True, **given})
        return Engine(client or self.client, chosen, Mask(set_id), self.progress.append)

    def present(self, *objects: Object, **given: t.Any) -> Outcome:
        """Make the cluster equal to the objects."""
        documents = [document for obj in objects for document in opened(obj, "test")]
        return self.engine(**given).present(documents)

    def apply(self, text: str, **given: t.Any) -> Outcome:
        """Make the cluster equal to a YAML text, in which NS stands for the namespace."""
        return self.engine(**given).present(self.documents(text))

    def documents(self, text: str) -> list[Document]:
        """The objects of a YAML text."""
        return parse(text.replace("NS", self.name), "test.yml")

    def absent(self, **given: t.Any) -> Outcome:
        """Remove a set."""
        return self.engine(**{"state": "absent", **given}).absent()

    @contextlib.contextmanager
    def as_account(self, name: str) -> t.Iterator[Recorder]:
        """A client with the token of a service account of this namespace."""
        path = self.path("v1", "ServiceAccount", name) + "/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        token = self.client.request("POST", path, None, body).body["status"]["token"]
        known = self.client.transport.connection
        with Recorder(dataclasses.replace(known, token=token, client_cert=None, client_key=None)) as client:
            yield client

    def clean(self) -> None:
        """Remove all sets of the test with what they hold."""
        for name in sorted(self.sets):
            self.absent(name=name, remove_claims=True)

    def resource(self, api_version: str, kind: str) -> Resource:
        """A kind."""
        return self.resources.find(api_version, kind)

    def path(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> str:
        """The path of an object of this namespace, or of a cluster-wide one."""
        return self.resource(api_version, kind).path(namespace or self.name, name)

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> t.Any:
        """A live object, or None."""
        return self.client.find(self.path(api_version, kind, name, namespace))

    def patch(self, api_version: str, kind: str, name: str, body: Object, manager: str, sub: str = "") -> t.Any:
        """Change a live object as somebody else."""
        path = self.path(api_version, kind, name) + sub
        return self.client.request("PATCH", path, {"fieldManager": manager}, body, MERGE).body

    def apply_as(self, manager: str, body: Object, force: bool = False) -> t.Any:
        """Apply an object as somebody else."""
        path = self.path(body["apiVersion"], body["kind"], body["metadata"]["name"])
        return self.client.request("PATCH", path, {"fieldManager": manager, "force": force}, body, APPLY).body


def strip(obj: Object) -> Object:
    """What an object holds, without its identity and what the server counts."""
    meta = {key: value for key, value in obj["metadata"].items() if key in ("labels", "annotations")}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != SET_LABEL}
    rest = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    spec = rest.get("spec")
    if obj["kind"] == "Service" and isinstance(spec, dict):
        drawn = ("clusterIP", "clusterIPs")
        rest["spec"] = {key: value for key, value in spec.items() if key not in drawn}
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key != REVISION}
    return {**rest, "labels": labels, "annotations": annotations}
