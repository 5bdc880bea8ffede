# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a run will change. The server's dry run has the last word, so that check mode tells the truth."""

from __future__ import annotations

import dataclasses
import typing as t

from . import diff
from .change import Change, Plan, Refusal, apply
from .client import Client
from .compare import applied_entry, matches
from .desired import may_be_replaced
from .errors import ApiError, KubeError
from .objects import SET_LABEL, Key, Object, meta_of
from .options import Options
from .ownership import CONTROLLER, Contest, Path, carried, contests, is_controllers, is_rival, is_scaled, without
from .ready import condition
from .replace import Replacer
from .resources import Resources
from .verdict import (
    conflict_text,
    defines,
    is_immutable,
    is_undeclared,
    missing_namespace,
    owned_alone,
    version,
    waits_for,
)

SNAPSHOTS = 4  # how often an object that others write at the same time is looked at


class Planner:
    """Compares the wanted objects with the live ones."""

    def __init__(
        self,
        client: Client,
        resources: Resources,
        options: Options,
        wanted: t.Mapping[Key, Object],
        leaving: t.Collection[Key] = (),
    ) -> None:
        self.client = client
        self.leaving = set(leaving)  # objects that are being deleted, which check mode does not wait for
        self.gone = {key.name for key in leaving if key.is_namespace}
        self.resources = resources
        self.options = options
        self.wanted = wanted
        self.defined = {defines(obj) for key, obj in wanted.items() if key.is_crd}
        self.redefined: set[tuple[str, str]] = set()  # kinds that this run makes or changes
        self.manager = options.set_id.manager
        self.replacer = Replacer(client, options, wanted)

    def plan(self, live: t.Mapping[Key, Object]) -> Plan:
        """The plan for all objects; the server is asked only about those that differ."""
        kinds = self.changes([key for key in self.wanted if key.is_crd], live)
        self.redefined = {
            defines(self.wanted[key])
            for key, item in kinds.items()
            if isinstance(item, Refusal) or item.action != "unchanged"
        }
        both = {**kinds, **self.changes([key for key in self.wanted if not key.is_crd], live)}
        found = [both[key] for key in self.wanted]
        return Plan(
            [item for item in found if isinstance(item, Change)], [item for item in found if isinstance(item, Refusal)]
        )

    def changes(self, keys: list[Key], live: t.Mapping[Key, Object]) -> dict[Key, Change | Refusal]:
        """What happens to some objects."""
        return dict(zip(keys, self.client.each(lambda key: self.change(key, live.get(key)), keys)))

    def change(self, key: Key, live: Object | None) -> Change | Refusal:
        """What happens to one object."""
        if key in self.leaving or key.namespace in self.gone:
            return Change(key, "created", self.wanted[key], self.path(key), verified=False)
        try:
            return self.compared(key, live) if live else self.unseen(key)
        except ApiError as error:
            return Refusal(key, self.unknown_kind(key, error) or f"the server refuses it: {error}")
        except KubeError as error:
            return Refusal(key, str(error))

    def unknown_kind(self, key: Key, error: ApiError) -> str:
        """The message about a kind that this server does not have, although others do; nothing if it has it."""
        api_version = self.wanted[key]["apiVersion"]
        if not error.not_found or missing_namespace(error) or self.resources.is_served(api_version, key.kind):
            return ""
        return f"unknown kind {key.kind} in {api_version}: {self.resources.elsewhere(key.kind)}"

    def waits(self, key: Key, error: ApiError) -> bool:
        """Whether the server will say something else after what this set, or another before it, brings."""
        kind = (key.group, key.kind)
        new = kind in self.defined or (self.wanted[key]["apiVersion"], key.kind) in self.resources.assumed
        return waits_for(error, self.wanted, new) or (kind in self.redefined and is_undeclared(error))

    def is_expected(self, namespace: str) -> bool:
        """Whether another set may bring a namespace before the real run: it is the one that this set lies in."""
        return self.options.check_mode and namespace == self.options.set_id.namespace

    def path(self, key: Key) -> str:
        """Where the object lies."""
        return self.resources.find(self.wanted[key]["apiVersion"], key.kind).path(key.namespace, key.name)

    def unseen(self, key: Key) -> Change | Refusal:
        """An object without the set's label: absent, or made by somebody else."""
        change = Change(key, "created", self.wanted[key], self.path(key), hand_over=self.given_once(key))
        try:
            answer = self.dry_run(change)
        except ApiError as error:
            if self.waits(key, error) or self.is_expected(missing_namespace(error)):
                return dataclasses.replace(change, verified=False)
            live = self.client.find(change.path)
            if live:
                return self.compared(key, live)
            if missing_namespace(error):
                return Refusal(
                    key, f"its namespace {missing_namespace(error)} does not exist and is not an object of the set"
                )
            raise
        if answer.created:
            return dataclasses.replace(change, after=answer.body)
        return self.compared(key, self.client.get(change.path))

    def compared(self, key: Key, live: Object) -> Change | Refusal:
        """An object that exists: unchanged, configured or replaced."""
        for _attempt in range(SNAPSHOTS):
            found = self.compared_once(key, live)
            if isinstance(found, Refusal) or not found.after or version(found.after) in (None, version(live)):
                return found
            # Somebody, often a controller, wrote the object between the LIST and the dry run: theirs would look ours.
            newer = self.client.find(found.path)
            if newer is None:
                return self.unseen(key)
            live = newer
        return found

    def compared_once(self, key: Key, live: Object) -> Change | Refusal:
        """One comparison with one state of the object."""
        given_once = self.given_once(key)
        wanted = self.wanted[key]
        for path in given_once:
            wanted = without(wanted, path)
        change = Change(key, "unchanged", wanted, self.path(key), before=live, after=live)
        change.hand_over = tuple(path for path in given_once if owned_alone(live, path, self.manager))
        # A failed Job would never run again by itself.
        failed = key.kind == "Job" and condition(live, "Failed").get("status") == "True" and may_be_replaced(wanted)
        if not failed and not change.hand_over and matches(wanted, live, self.manager):
            return change
        refusal = self.settle(change, live)
        return refusal or (self.replaced(change, live) if failed else self.dry_run_of_change(change, live))

    def settle(self, change: Change, live: Object) -> Refusal | None:
        """Decide about the fields that others own."""
        owner = meta_of(live, "labels").get(SET_LABEL)
        if owner and owner != self.options.set_id.label and not self.options.force_conflicts:
            return Refusal(
                change.key, f"it belongs to the set {owner}: remove it there first, or set force_conflicts to true"
            )
        rivals = []
        for contest in contests(change.wanted, live, self.manager):
            if is_controllers(contest, self.options.controllers) and not self.unscaled(contest, change.key):
                change.wanted = without(change.wanted, contest.path)
                change.left = (*change.left, contest)
            elif is_rival(contest) and not self.options.force_conflicts:
                rivals.append(contest)
            else:
                change.force = True
        return Refusal(change.key, conflict_text(rivals)) if rivals else None

    def unscaled(self, contest: Contest, key: Key) -> bool:
        """Whether the replicas were set by an autoscaler that is no longer there."""
        if not is_scaled(contest):
            return False
        path = self.resources.find("autoscaling/v2", "HorizontalPodAutoscaler").path(key.namespace)
        scalers = (self.client.find(path) or {}).get("items") or []
        targets = [(item.get("spec") or {}).get("scaleTargetRef") or {} for item in scalers]
        return not any((target.get("kind"), target.get("name")) == (key.kind, key.name) for target in targets)

    def dry_run_of_change(self, change: Change, live: Object) -> Change | Refusal:
        """Ask the server what a change comes to."""
        try:
            change.after = self.dry_run(change).body
        except ApiError as error:
            if error.conflicts and not change.force:
                return self.conflicting(change, live, error)
            if is_immutable(error):
                return self.replaced(change, live, error)
            if self.waits(change.key, error):
                change.action, change.verified, change.after = "configured", False, None
                return change
            raise
        if change.hand_over or not diff.equal(live, change.after) or not self.same_fields(live, change.after):
            change.action = "configured"
        return change

    def conflicting(self, change: Change, live: Object, error: ApiError) -> Change | Refusal:
        """A conflict that only the server saw: changes by hand are set right, other tools are named."""
        rivals = [item for item in error.conflicts if item.operation == "Apply" or CONTROLLER.search(item.manager)]
        if rivals and not self.options.force_conflicts:
            names = ", ".join(map(str, rivals))
            return Refusal(
                change.key, f"conflict with {names}: agree on one value, or set force_conflicts to true to win"
            )
        change.force = True
        return self.dry_run_of_change(change, live)

    def same_fields(self, live: Object, after: Object) -> bool:
        """Whether the set owns the same fields before and after."""
        one, other = applied_entry(live, self.manager), applied_entry(after, self.manager)
        return bool(one and other and one.get("fieldsV1") == other.get("fieldsV1"))

    def replaced(self, change: Change, live: Object, error: ApiError | None = None) -> Change | Refusal:
        """The change as a replacement, by the whole object again, with the values that others gave it meanwhile."""
        change.hand_over = self.given_once(change.key)
        change.wanted = change.after = carried(self.wanted[change.key], live, change.hand_over)
        return self.replacer.checked(change, error)

    def given_once(self, key: Key) -> tuple[Path, ...]:
        """The fields of an object that are given at creation only."""
        return tuple(item.path for item in self.options.not_owned if item.covers(key))

    def dry_run(self, change: Change) -> t.Any:
        """The server's answer to an apply that changes nothing; a field that is handed over keeps its value."""
        kept = carried(change.wanted, change.before, change.hand_over) if change.before else change.wanted
        return apply(self.client, dataclasses.replace(change, wanted=kept), self.manager, dry_run=True)
