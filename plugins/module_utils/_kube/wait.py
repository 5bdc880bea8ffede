# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Waiting until a set is ready: by watch, and no longer than there is hope."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .claims import why_unready
from .client import Client
from .diagnose import Diagnosis, diagnose_all, used_secrets
from .errors import KubeError
from .objects import SET_LABEL, Key, Object, SetId
from .ready import FAILED, is_silent, is_watched, unready
from .remove import delete, doomed
from .resources import EVENT, POD, Resource, Resources
from .revision import Revisions
from .sick import MOUNT_EVENTS, MOUNT_MEMORY, all_probed, belongs, containers, event_age, is_stuck, sickness
from .watch import Event, Watch, remaining

PODS, EVENTS = "pods", "events"
STEP = 0.5  # how often the clock is looked at
SETTLE = 5.0  # how long a workload must stay ready when nothing probes its containers: kubelets see a crash late


@dataclasses.dataclass
class Patience:
    """How long to wait, and how long a pod may look sick."""

    timeout: float
    grace: float


class NotReadyError(KubeError):
    """The set did not become ready."""


class Waiter:
    """Follows what is not ready yet. Its state changes with the events, its decisions are pure functions."""

    def __init__(
        self,
        client: Client,
        resources: Resources,
        set_id: SetId,
        patience: Patience,
        progress: t.Callable[[str], None],
        learn_secret: t.Callable[[Object], None],
    ) -> None:
        self.client = client
        self.resources = resources
        self.set_id = set_id
        self.patience = patience
        self.progress = progress
        self.learn_secret = learn_secret
        self.revisions = Revisions(client, resources)
        self.pending: dict[Key, Object] = {}
        self.reasons: dict[Key, str] = {}
        self.pods: dict[tuple[str, str], Object] = {}
        self.mounts: dict[tuple[str, str], tuple[str, float]] = {}  # what failed, and until when that counts
        self.sick_since: dict[str, float] = {}
        self.ready_since: dict[Key, float] = {}
        self.silent_until: dict[Key, float] = {}

    def wait(self, objects: t.Mapping[Key, Object], fresh: t.Collection[Key] = ()) -> None:
        """Return when all objects are ready, else raise NotReadyError with the diagnosis. Fresh ones were just made."""
        for key in fresh:
            if is_silent(objects[key]) and self.resources.has_status(objects[key]["apiVersion"], key.kind):
                self.silent_until[key] = time.monotonic() + min(SETTLE, self.patience.timeout / 2)
        self.pending = {key: obj for key, obj in objects.items() if is_watched(obj) and self.not_ready(key, obj)}
        if not self.pending:
            return
        deadline = time.monotonic() + self.patience.timeout
        with Watch(self.client) as watch:
            self.follow(watch)
            while self.pending:
                event = watch.next(min(STEP, remaining(deadline)))
                if event:
                    self.take(event)
                self.settle(time.monotonic())
                hopeless = self.hopeless(time.monotonic())
                if hopeless:
                    raise self.failure("cannot become ready", [hopeless])
                if remaining(deadline) <= 0:
                    raise self.failure(f"is not ready after {self.patience.timeout:g} s", list(self.pending))

    def failure(self, what: str, keys: list[Key]) -> NotReadyError:
        """The error with everything that helps to understand it."""
        pods = {key: [pod for pod in self.pods_of(key) if unready(pod) and self.is_newest(pod, key)] for key in keys}
        found = [Diagnosis(key, self.reasons.get(key, ""), self.pending[key], pods[key]) for key in keys]
        # A log line may hold the value of a Secret that is not the set's: it can be hidden only when it is known.
        for secret in used_secrets(self.client, found):
            self.learn_secret(secret)
        return NotReadyError(f"the set {self.set_id.name} {what}:\n{diagnose_all(self.client, found)}")

    def not_ready(self, key: Key, obj: Object) -> bool:
        """Whether the object is not ready; the reason is kept and shown when it changes."""
        reason = why_unready(self.client, obj)
        if not reason and key in self.silent_until and is_silent(obj):
            reason = "its controller has not said anything yet"
        if reason != self.reasons.get(key, ""):
            self.progress(f"{key}: {reason or 'ready'}")
        self.reasons[key] = reason
        return bool(reason)

    def follow(self, watch: Watch) -> None:
        """Watch the kinds that are not ready, and the pods and warnings of their namespaces."""
        streams = {
            (self.resources.find(obj["apiVersion"], key.kind), key.namespace) for key, obj in self.pending.items()
        }
        labelled = {"labelSelector": f"{SET_LABEL}={self.set_id.label}"}
        for resource, namespace in streams:
            query = {} if resource.kind == "Namespace" else labelled
            watch.follow((resource, namespace), resource.path(namespace), query)
        for namespace in {namespace for _resource, namespace in streams if namespace}:
            watch.follow((PODS, namespace), POD.path(namespace), {})
            watch.follow(
                (EVENTS, namespace), EVENT.path(namespace), {"fieldSelector": "type=Warning,involvedObject.kind=Pod"}
            )

    def take(self, event: Event) -> None:
        """Learn from one event."""
        stream = t.cast("tuple[t.Any, str]", event.stream)
        if event.type == "FAILED":
            # Without the right to see pods and events the wait goes on, only the diagnosis is poorer.
            if stream[0] in (PODS, EVENTS):
                return
            raise event.object
        found = (event.object.get("items") or []) if event.type == "LISTED" else [event.object]
        for obj in found:
            self.learn(stream[0], obj, event.type == "DELETED")
        if event.type == "LISTED":
            self.miss(*stream, {obj["metadata"]["name"] for obj in found})

    def learn(self, source: t.Any, obj: Object, gone: bool) -> None:
        """Learn from one object of an event."""
        meta = obj["metadata"]
        name = (meta.get("namespace") or "", meta["name"])
        if source == EVENTS:
            if obj.get("reason") in MOUNT_EVENTS:
                until = time.monotonic() + MOUNT_MEMORY - event_age(obj, time.time())
                self.mounts[name[0], obj["involvedObject"]["name"]] = (obj.get("message", ""), until)
        elif source == PODS:
            pod = {"apiVersion": POD.api_version, "kind": POD.kind, **obj}
            self.pods.pop(name, None) if gone else self.pods.update({name: pod})
        elif isinstance(source, Resource):
            key = Key(source.group, source.kind, *name)
            full = {"apiVersion": source.api_version, "kind": source.kind, **obj}
            if key in self.pending and gone:
                self.lose(key)
            elif key in self.pending:
                self.pending[key] = full
                self.judge(key)

    def judge(self, key: Key) -> None:
        """Note since when an object is ready, if it is."""
        if self.not_ready(key, self.pending[key]):
            self.ready_since.pop(key, None)
        else:
            self.ready_since.setdefault(key, time.monotonic())

    def miss(self, source: t.Any, namespace: str, names: set[str]) -> None:
        """Notice what a LIST no longer has: between two watches nobody tells of it."""
        if source == PODS:
            self.pods = {where: pod for where, pod in self.pods.items() if where[0] != namespace or where[1] in names}
        if not isinstance(source, Resource):
            return
        here = (source.group, source.kind, namespace)
        for key in self.pending:
            if (key.group, key.kind, key.namespace) == here and key.name not in names:
                self.lose(key)

    def lose(self, key: Key) -> None:
        """Somebody removed an object that is waited for."""
        self.reasons[key] = f"{FAILED}somebody removed it, or took the label of the set from it"

    def settle(self, now: float) -> None:
        """Let go of what is ready. A container without a probe counts as ready even if it crashes a moment later."""
        for key in [key for key, until in self.silent_until.items() if now >= until]:
            del self.silent_until[key]
            if key in self.pending and not self.reasons.get(key, "").startswith(FAILED):
                self.judge(key)
        for key, since in list(self.ready_since.items()):
            restarted = any(item.get("restartCount") for pod in self.pods_of(key) for item in containers(pod))
            needed = SETTLE + (self.patience.grace if restarted else 0)
            if now - since >= needed or all_probed(self.pending[key]):
                del self.pending[key], self.ready_since[key]

    def pods_of(self, key: Key) -> list[Object]:
        """The pods of a workload that is waited for."""
        return [pod for pod in self.pods.values() if belongs(pod, key, self.pending[key])]

    def is_newest(self, pod: Object, key: Key) -> bool:
        """Whether a pod is of the newest form of its workload."""
        return not self.revisions.outdated(pod, key, self.pending[key])

    def hopeless(self, now: float) -> Key | None:
        """The first object that cannot become ready, if there is one."""
        for key in list(self.pending):
            if self.reasons.get(key, "").startswith(FAILED):
                return key
            for pod in self.pods_of(key):
                if self.sick_too_long(pod, now) and not self.unstick(pod, key) and self.is_newest(pod, key):
                    return key
        return None

    def sick_too_long(self, pod: Object, now: float) -> bool:
        """Whether a pod looks sick for longer than the grace."""
        meta = pod["metadata"]
        failure, until = self.mounts.get((meta.get("namespace", ""), meta["name"]), ("", now))
        why = sickness(pod, failure if now < until else "")
        if not why:
            # A crashing container runs for a moment between two crashes: only a ready pod is well again.
            if not unready(pod) or not any(item.get("restartCount") for item in containers(pod)):
                self.sick_since.pop(meta["uid"], None)
            return False
        if meta["uid"] not in self.sick_since:
            self.progress(f"Pod {meta.get('namespace')}/{meta['name']}: {why}")
        return now - self.sick_since.setdefault(meta["uid"], now) >= self.patience.grace

    def unstick(self, pod: Object, key: Key) -> bool:
        """Remove a sick pod of an old revision: a StatefulSet waits for it for ever."""
        if not is_stuck(pod, self.pending[key]):
            return False
        meta = pod["metadata"]
        self.progress(f"Pod {meta['namespace']}/{meta['name']}: removed, its old revision holds the update of {key}")
        delete(self.client, doomed(POD.path(meta["namespace"], meta["name"]), pod))
        self.pods.pop((meta["namespace"], meta["name"]), None)
        return True
