# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The RayService object behind the Kubernetes API. The client is given: the collection's own, or in_cluster.Kube."""

from __future__ import annotations

import typing as t

from . import NotThereError, serve_config
from .serve_config import Entry
from .state import Object

FIELD_MANAGER = "mlops.platform-ray-applications"
REFUSED = "FailedToUpdateServeApplications"
Query = t.Mapping[str, t.Union[str, int, bool, None]]


class Kube(t.Protocol):
    """What is needed of a client. Paths begin at the server's root; errors are RayError."""

    def get(self, path: str, query: Query) -> Object | None:
        """The body of a GET; None where nothing is there or it may not be read."""

    def patch(self, path: str, query: Query, body: Object) -> Object:
        """The object after a merge patch; ConflictError when its resourceVersion is another."""

    def watch(self, path: str, query: Query, seconds: float) -> t.Iterator[Object]:
        """The changed objects of a collection, for some seconds at most."""


class Service:
    """One RayService."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self.kube, self.namespace, self.name = kube, namespace, name
        self.collection = f"/apis/ray.io/v1/namespaces/{namespace}/rayservices"

    def read(self) -> Object:
        """The object as it is now."""
        found = self.kube.get(f"{self.collection}/{self.name}", {})
        if found is None:
            raise NotThereError(
                f"there is no RayService {self.namespace}/{self.name}; install the platform's Ray first"
            )
        return found

    def application(self, name: str) -> Entry | None:
        """One application as it stands in the Serve configuration."""
        return serve_config.find(serve_config.of(self.read()), name)

    def write(self, seen: Object, config: str) -> Object:
        """Set the Serve configuration, if the object is still as it was seen."""
        version = seen["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "spec": {"serveConfigV2": config}}
        return self.kube.patch(f"{self.collection}/{self.name}", {"fieldManager": FIELD_MANAGER}, body)

    def changes(self, since: Object, seconds: float) -> t.Iterator[Object]:
        """The object, each time it changes."""
        version = since["metadata"]["resourceVersion"]
        query = {"fieldSelector": f"metadata.name={self.name}", "resourceVersion": version}
        return self.kube.watch(self.collection, query, seconds)

    def complaints(self) -> dict[str, tuple[int, str]]:
        """How often, and with which words, the operator said that Ray does not take the configuration; by event."""
        selector = f"involvedObject.kind=RayService,involvedObject.name={self.name},reason={REFUSED}"
        found = self.kube.get(f"/api/v1/namespaces/{self.namespace}/events", {"fieldSelector": selector}) or {}
        items = found.get("items") or []
        return {item["metadata"]["uid"]: (int(item.get("count") or 1), item.get("message") or "") for item in items}
