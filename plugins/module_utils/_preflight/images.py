# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether a node can pull images: one short pod for each, in a namespace that is removed again."""

from __future__ import annotations

import hashlib
import secrets
import time
import typing as t
from datetime import datetime, timedelta, timezone

from .._kube.client import Client
from .._kube.errors import KubeError
from .._kube.watch import Watch
from .verdict import Object

LABEL = "mlops.platform/preflight"
NAMESPACES = "/api/v1/namespaces"
# A busy cluster makes the account `default` of a new namespace late, and refuses pods until then.
ACCOUNT = "image"
# A parallel run may have begun with this much more time, and its clock may be another one.
MARGIN = timedelta(minutes=15)
REFUSED = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "RegistryUnavailable", "ErrImageNeverPull"}
)
# What registries and container engines say to somebody who does not sign in.
NOT_SIGNED_IN = ("401", "403", "denied", "authoriz", "authentication required", "no basic auth")
CONTAINER = {
    "name": "image",
    # No image has this program. The attempt to start it is the proof that the image is there.
    "command": ["/mlops-preflight"],
    "imagePullPolicy": "IfNotPresent",
    "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "64Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


def in_use(pods: t.Iterable[Object], own: t.Collection[str]) -> set[str]:
    """Images of the platform's pods whose containers were started."""
    return {
        container["image"]
        for pod in pods
        if pod["metadata"]["namespace"] in own and (pod.get("status") or {}).get("phase") == "Running"
        for container in [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
    }


def on_nodes(nodes: t.Sequence[Object]) -> set[str]:
    """Images that every node holds, as far as nodes tell: a pod with one of them would not pull it."""
    held = [
        {name for image in (node.get("status") or {}).get("images") or [] for name in image.get("names") or []}
        for node in nodes
    ]
    return set.intersection(*held) if held else set()


def name_of(image: str) -> str:
    """The name of the pod that pulls an image."""
    return f"image-{hashlib.sha256(image.encode()).hexdigest()[:16]}"


def pod(image: str, pull_secrets: t.Iterable[str]) -> dict[str, t.Any]:
    """A pod that ends as soon as the image is there."""
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "imagePullSecrets": [{"name": name} for name in pull_secrets],
        "containers": [{**CONTAINER, "image": image}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name_of(image), "labels": {LABEL: "true"}},
        "spec": spec,
    }


def state_of(found: Object) -> Object:
    """The state of the pod's container; empty while it has none."""
    status = found.get("status") or {}
    return next((item.get("state") or {} for item in status.get("containerStatuses") or []), {})


def outcome(found: Object) -> str | None:
    """Empty when the image is there, the reason when it cannot be had, None while that is open."""
    state = state_of(found)
    waiting = state.get("waiting") or {}
    if waiting.get("reason") in REFUSED:
        return " ".join(str(waiting.get("message") or waiting["reason"]).split())
    if (
        "terminated" in state
        or "running" in state
        or waiting.get("reason") in ("CreateContainerError", "RunContainerError")
    ):
        return ""
    return None


class Attempts:
    """Pulls that were refused for want of a login: a busy node pulls without a secret that has not reached it yet.

    The first refusal of that kind counts only when the next attempt ends with it too.
    """

    def __init__(self) -> None:
        self._over: set[str] = set()

    def is_final(self, found: Object, said: str) -> bool:
        """Whether the refusal stands; ``found`` is the newest state of its pod."""
        if not any(word in said.lower() for word in NOT_SIGNED_IN):
            return True
        name = found["metadata"]["name"]
        if (state_of(found).get("waiting") or {}).get("reason") == "ImagePullBackOff":
            self._over.add(name)
            return False
        return name in self._over


def pulled(client: Client, images: t.Sequence[str], secrets_: t.Sequence[Object], seconds: float) -> dict[str, str]:
    """Why images cannot be pulled, by image; ``secrets_`` are copied into the namespace of the pods."""
    if not images:
        return {}
    remove_old(client, timedelta(seconds=seconds))
    namespace = f"mlops-preflight-{secrets.token_hex(4)}"
    labels = {LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    client.request("POST", NAMESPACES, body={"metadata": {"name": namespace, "labels": labels}})
    try:
        client.request("POST", f"{NAMESPACES}/{namespace}/serviceaccounts", body={"metadata": {"name": ACCOUNT}})
        for secret in secrets_:
            client.request("POST", f"{NAMESPACES}/{namespace}/secrets", body=copied(secret))
        names = [secret["metadata"]["name"] for secret in secrets_]
        path = f"{NAMESPACES}/{namespace}/pods"
        client.each(lambda image: client.request("POST", path, body=pod(image, names)), images)
        return waited(client, path, images, seconds)
    finally:
        client.request("DELETE", f"{NAMESPACES}/{namespace}")


def copied(secret: Object) -> dict[str, t.Any]:
    """A Secret without what binds it to its namespace."""
    return {"metadata": {"name": secret["metadata"]["name"]}, "type": secret["type"], "data": secret["data"]}


def remove_old(client: Client, patience: timedelta) -> None:
    """Remove what a killed run left behind, and nothing of one that may still run."""
    found = client.get(NAMESPACES, {"labelSelector": LABEL}).get("items") or []
    for name in abandoned(found, datetime.now(timezone.utc) - patience - MARGIN):
        client.request("DELETE", f"{NAMESPACES}/{name}")


def abandoned(namespaces: t.Iterable[Object], before: datetime) -> list[str]:
    """The names of namespaces that were made before a time and are not about to go."""
    return [
        item["metadata"]["name"]
        for item in namespaces
        if "deletionTimestamp" not in item["metadata"]
        and datetime.fromisoformat(item["metadata"]["creationTimestamp"].replace("Z", "+00:00")) < before
    ]


def waited(client: Client, path: str, images: t.Sequence[str], seconds: float) -> dict[str, str]:
    """Follow the pods until each has an outcome or the time is up."""
    open_ = {name_of(image): image for image in images}
    broken: dict[str, str] = {}
    reasons: dict[str, str] = {}
    attempts = Attempts()
    end = time.monotonic() + seconds
    with Watch(client) as watch:
        watch.follow("pods", path, {"labelSelector": LABEL})
        while open_ and (event := watch.next(end - time.monotonic())) is not None:
            if event.type == "FAILED":
                raise KubeError(f"the pods that pull images cannot be watched: {event.object}")
            for found in event.object["items"] if event.type == "LISTED" else [event.object]:
                name = found["metadata"]["name"]
                said = outcome(found)
                reasons[name] = said or unplaced(found)
                if said and not attempts.is_final(found, said):
                    continue
                image = open_.pop(name, None) if said is not None else None
                if said and image:
                    broken[image] = said
    late = f"it was not pulled within {seconds:.0f} s"
    return {**broken, **{image: reasons.get(name) or late for name, image in open_.items()}}


def unplaced(found: Object) -> str:
    """Why the scheduler finds no node for a pod; empty when it did."""
    return next(
        (
            f"its pod cannot be placed: {item.get('message') or item.get('reason')}"
            for item in (found.get("status") or {}).get("conditions") or []
            if item["type"] == "PodScheduled" and item["status"] == "False"
        ),
        "",
    )
