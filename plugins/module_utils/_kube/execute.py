# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Carrying a plan out, wave by wave."""

from __future__ import annotations

import time
import typing as t

from .client import Client
from .errors import ApiError, KubeError
from .objects import Key, Object, wave
from .options import Options
from .ownership import Path, only, value_at, without
from .plan import APPLY, Change, apply
from .prune import KIND_IN_USE, Fate, Pruner
from .ready import FAILED, unready
from .remove import doomed, remove_all
from .resources import CRD, Resources
from .watch import Watch, remaining

FIRST_HANDS = "kube_set-given-once"
SERVED_WITHIN = 15.0  # seconds between an established CRD and its kind being served


class Executor:
    """Applies and removes objects. What it did is in `live`."""

    def __init__(self, client: Client, resources: Resources, options: Options) -> None:
        self.client = client
        self.resources = resources
        self.options = options
        self.manager = options.set_id.manager
        self.deadline = time.monotonic() + options.wait_timeout
        self.live: dict[Key, Object] = {}

    def apply_all(self, changes: t.Sequence[Change]) -> None:
        """Apply the changes; what others need comes first."""
        for group in ({0}, {1}, {2, 3}):
            batch = [change for change in changes if wave(change.key) in group]
            if not batch:
                continue
            results = self.client.each(self.attempt, sorted(batch, key=lambda change: wave(change.key)))
            faults = [result for result in results if isinstance(result, str)]
            if faults:
                raise KubeError("not all objects could be applied:\n" + "\n".join(faults))
            self.establish([change.key for change in batch if change.key.is_crd])

    def attempt(self, change: Change) -> str | None:
        """Apply one change; the result is what went wrong."""
        try:
            self.live[change.key] = self.apply_one(change)
        except KubeError as error:
            return f"{change.key}: {error}"
        return None

    def apply_one(self, change: Change) -> Object:
        """Apply one change and hand over the fields that are not the set's."""
        if change.action == "replaced" and change.before:
            remove_all(self.client, [doomed(change.path, change.before)], self.deadline)
        if change.hand_over and change.action == "configured" and change.before:
            self.hand_over(change, change.before)
        answer: Object = self.patient_apply(change)
        if change.hand_over and change.action != "configured":
            self.hand_over(change, answer)
            for path in change.hand_over:
                change.wanted = without(change.wanted, path)
            answer = self.patient_apply(change)
        return answer

    def patient_apply(self, change: Change) -> Object:
        """Apply; a kind that was defined a moment ago may not be served yet."""
        until = time.monotonic() + SERVED_WITHIN
        while True:
            try:
                return t.cast(Object, apply(self.client, change, self.manager).body)
            except ApiError as error:
                fresh = error.not_found and not error.message.startswith("namespaces ") and wave(change.key) == 3
                if not fresh or time.monotonic() > until:
                    raise
            time.sleep(0.2)

    def hand_over(self, change: Change, live: Object) -> None:
        """Give fields to a manager of their own, so that they stay when the set stops applying them."""
        for path in change.hand_over:
            value = value_at(live, path)
            if value is not None:
                self.give(change, live, path, value)

    def give(self, change: Change, live: Object, path: Path, value: t.Any) -> None:
        """Apply one field in the name of its first holder."""
        query: dict[str, str | bool] = {"fieldManager": FIRST_HANDS, "force": True}
        self.client.request("PATCH", change.path, query, only(live, path, value), APPLY)

    def establish(self, keys: t.Sequence[Key]) -> None:
        """Wait until new kinds are served: the objects of the next wave need them."""
        missing = {key for key in keys if unready(self.live[key])}
        if not missing:
            return
        with Watch(self.client) as watch:
            for key in missing:
                watch.follow(key, CRD.path(), {"fieldSelector": f"metadata.name={key.name}"})
            while missing:
                event = watch.next(remaining(self.deadline))
                if event is None:
                    raise KubeError(f"{', '.join(map(str, missing))}: not established in time")
                if event.type == "FAILED":
                    raise event.object
                for obj in event.object.get("items") or [] if event.type == "LISTED" else [event.object]:
                    self.learn_crd(
                        t.cast(Key, event.stream), {"apiVersion": CRD.api_version, "kind": CRD.kind, **obj}, missing
                    )

    def learn_crd(self, key: Key, obj: Object, missing: set[Key]) -> None:
        """Take the newest state of a CRD."""
        self.live[key] = obj
        why = unready(obj)
        if why.startswith(FAILED):
            raise KubeError(f"{key}: {why.removeprefix(FAILED)}")
        if not why:
            missing.discard(key)

    def remove(self, fates: t.Sequence[Fate], pruner: Pruner) -> list[Fate]:
        """Remove what is to go, in reverse order; the result is what happened."""
        done = [item for item in fates if not item.goes]
        going = [item for item in fates if item.goes]
        for group in sorted({step(item.key) for item in going}, reverse=True):
            batch = [item for item in going if step(item.key) == group]
            checked = [self.rechecked(item, pruner) for item in batch]
            targets = [doomed(self.path(item), item.live) for item in checked if item.goes and item.live]
            remove_all(self.client, targets, self.deadline)
            done += checked
        return done

    def path(self, item: Fate) -> str:
        """Where an object lies."""
        api_version = (item.live or {})["apiVersion"]
        return self.resources.find(api_version, item.key.kind).path(item.key.namespace, item.key.name)

    def rechecked(self, item: Fate, pruner: Pruner) -> Fate:
        """A kind whose last objects have just gone may go now; one that got new objects stays."""
        if item.key.is_crd and item.live and pruner.in_use(item.live):
            return item._replace(kept=KIND_IN_USE, remembered=True)
        return item


def step(key: Key) -> float:
    """The order of removal: namespaces last, kinds before them, claims after what uses them."""
    if key.is_namespace:
        return -1
    return 0.5 if key.is_claim else wave(key)
