# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Carrying a plan out, wave by wave."""

from __future__ import annotations

import time
import typing as t

from .change import APPLY, Change, apply
from .client import Client
from .errors import ApiError, KubeError
from .objects import Key, Object, wave
from .options import Options
from .ownership import carried, only, value_at, without
from .prune import Fate, Pruner
from .ready import FAILED, unready
from .remove import doomed, raise_all, removals, remove_all
from .resources import CRD, Resources, served
from .verdict import is_undeclared, lacks_account, missing_namespace, waits_for
from .watch import Watch, remaining

FIRST_HANDS = "kube_set-given-once"
SNAPSHOTS = 10  # how often an object that others write at the same time is read again
SERVED_WITHIN = 15.0  # seconds between an established CRD and its kind being served


class Executor:
    """Applies and removes objects. What it did is in `live` and `fates`."""

    def __init__(self, client: Client, resources: Resources, options: Options) -> None:
        self.client = client
        self.resources = resources
        self.options = options
        self.manager = options.set_id.manager
        self.deadline = time.monotonic() + options.wait_timeout
        self.live: dict[Key, Object] = {}
        self.fates: list[Fate] = []

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

    def verify(self, changes: t.Sequence[Change], wanted: t.Mapping[Key, Object]) -> None:
        """Ask about what the server could not tell before the set's namespaces and kinds were there."""
        left = [change for change in changes if not change.verified and change.action != "replaced"]
        rest = {key: obj for key, obj in wanted.items() if wave(key)}
        faults = [fault for fault in self.client.each(lambda change: self.fault(change, rest), left) if fault]
        if faults:
            raise KubeError(
                "the set cannot be applied, and nothing but its namespaces and kinds was changed:\n" + "\n".join(faults)
            )

    def fault(self, change: Change, rest: t.Mapping[Key, Object]) -> str:
        """Why the server would refuse a change, as far as it does not miss the rest of the set."""
        try:
            self.patient_apply(change, dry_run=True)
        except ApiError as error:
            return "" if waits_for(error, rest) else f"{change.key}: the server refuses it: {error}"
        return ""

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
            return self.replace(change, change.before)
        if change.hand_over and change.before:
            self.hand_over(change, change.before)
            return self.patient_apply(change)
        return self.given_away(change, self.patient_apply(change))

    def replace(self, change: Change, live: Object) -> Object:
        """Delete an object and create it anew. An old one that is gone without a new one counts as removed."""
        if change.hand_over:
            change.wanted = carried(change.wanted, self.client.find(change.path) or live, change.hand_over)
        remove_all(self.client, [doomed(change.path, live)], self.deadline)
        try:
            answer = self.patient_apply(change)
        except KubeError:
            self.fates.append(Fate(change.key, live))
            raise
        return self.given_away(change, answer)

    def given_away(self, change: Change, answer: Object) -> Object:
        """Hand over the fields of a new object that are given once."""
        if change.hand_over:
            self.hand_over(change, answer)
            for path in change.hand_over:
                change.wanted = without(change.wanted, path)
            answer = self.patient_apply(change)
        return answer

    def patient_apply(self, change: Change, dry_run: bool = False) -> Object:
        """Apply; a kind that was defined a moment ago may not be served yet."""
        until = time.monotonic() + SERVED_WITHIN
        while True:
            try:
                return t.cast(Object, apply(self.client, change, self.manager, dry_run).body)
            except ApiError as error:
                if not is_early(change, error) or time.monotonic() > until:
                    raise
            time.sleep(0.2)

    def hand_over(self, change: Change, live: Object) -> None:
        """Give fields to a manager of their own, so that they stay when the set stops applying them."""
        for _attempt in range(SNAPSHOTS):
            try:
                self.give(change, live)
                return
            except ApiError as error:
                newest = self.client.find(change.path) if error.status == 409 else None
                if newest is None:
                    raise
                # Somebody wrote the object meanwhile, perhaps this very field: theirs is the value to keep.
                live, last = newest, error
        raise last

    def give(self, change: Change, live: Object) -> None:
        """Apply the fields of this very version of the object in the name of their first holder."""
        query: dict[str, str | bool] = {"fieldManager": FIRST_HANDS, "force": True}
        for path in change.hand_over:
            value = value_at(live, path)
            if value is not None:
                live = self.client.request("PATCH", change.path, query, only(live, path, value), APPLY).body

    def establish(self, keys: t.Sequence[Key]) -> None:
        """Wait until new kinds are served: the objects of the next wave need them."""
        fresh = {key for key in keys if unready(self.live[key])}
        if not fresh:
            return
        missing = set(fresh)
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

        until = min(self.deadline, time.monotonic() + SERVED_WITHIN)
        await_served(self.client, [self.live[key]["spec"] for key in fresh], until)

    def learn_crd(self, key: Key, obj: Object, missing: set[Key]) -> None:
        """Take the newest state of a CRD."""
        self.live[key] = obj
        why = unready(obj)
        if why.startswith(FAILED):
            raise KubeError(f"{key}: {why.removeprefix(FAILED)}")
        if not why:
            missing.discard(key)

    def remove(self, fates: t.Sequence[Fate], pruner: Pruner) -> None:
        """Remove what is to go, in reverse order."""
        self.fates += [item for item in fates if not item.goes]
        going = [item for item in fates if item.goes]
        for group in sorted({step(item.key) for item in going}, reverse=True):
            batch = [self.rechecked(item, pruner) for item in going if step(item.key) == group]
            leaving = [item for item in batch if item.goes and item.live]
            targets = [doomed(pruner.path(item), item.live or {}) for item in leaving]
            errors = removals(self.client, targets, self.deadline)
            self.fates += [item for item in batch if not item.goes]
            self.fates += [item for item, error in zip(leaving, errors) if not error]
            raise_all(errors)

    def rechecked(self, item: Fate, pruner: Pruner) -> Fate:
        """What holds others goes only while it is empty: some may have come since the plan was made."""
        kept = pruner.full(item.key, item.live) if item.live else ""
        return item._replace(kept=kept, remembered=True) if kept else item


def is_early(change: Change, error: ApiError) -> bool:
    """Whether a refusal may come from a server that does not yet know a kind, or its newest form, or a new account."""
    if lacks_account(error):
        return True
    if wave(change.key) != 3:
        return False
    missing = error.not_found and not missing_namespace(error)
    return missing or (not change.verified and is_undeclared(error))


def step(key: Key) -> float:
    """The order of removal: namespaces last, kinds before them, claims after what uses them."""
    if key.is_namespace:
        return -1
    return 0.5 if key.is_claim else wave(key)


def await_served(client: Client, specs: t.Iterable[t.Mapping[str, t.Any]], until: float) -> None:
    """Wait, but not for ever, until discovery, which cannot be watched, names the kinds of established CRDs."""
    left = [
        (f"{spec['group']}/{version['name']}", spec["names"]["plural"])
        for spec in specs
        for version in spec["versions"]
        if version["served"]
    ]
    while left := [
        (version, plural)
        for version, plural in left
        if plural not in {item["name"] for item in served(client, version)}
    ]:
        if time.monotonic() > until:
            return
        time.sleep(0.2)
