# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The run of kube_set from the documents to the result."""

from __future__ import annotations

import dataclasses
import typing as t
from functools import partial

from . import diff, inventory
from .change import Change, Plan, Refusal
from .client import Client
from .desired import desired
from .documents import Document
from .errors import KubeError
from .execute import Executor
from .inventory import Inventory, Item
from .mask import Mask
from .objects import Key, Object, wave
from .observe import calls, listings, may_exist, observe, read_namespace, together
from .options import Options, refuse_unused
from .plan import Planner
from .prune import Fate, Pruner
from .remove import doomed, wait_gone
from .resources import NAMESPACE, Resources
from .wait import Patience, Waiter


@dataclasses.dataclass
class Outcome:
    """What a run did, or would do."""

    changes: list[Change] = dataclasses.field(default_factory=list)
    fates: list[Fate] = dataclasses.field(default_factory=list)
    diff: list[dict[str, str]] = dataclasses.field(default_factory=list)

    def named(self, action: str) -> list[str]:
        """The objects to which something happened."""
        return sorted(str(change.key) for change in self.changes if change.action == action)

    def result(self) -> dict[str, t.Any]:
        """The outcome as a task's result."""
        names = {action: self.named(action) for action in ("created", "configured", "replaced", "unchanged")}
        pruned = sorted(str(fate.key) for fate in self.fates if fate.goes)
        return {
            **names,
            "pruned": pruned,
            "kept": sorted(f"{fate.key}: {fate.kept}" for fate in self.fates if fate.live and fate.kept),
            "left": sorted(
                f"{change.key}: {item.field} to {item.manager}" for change in self.changes for item in change.left
            ),
            "not_verified": sorted(str(change.key) for change in self.changes if not change.verified),
            "changed": bool(pruned or any(change.action != "unchanged" for change in self.changes)),
        }


class Engine:
    """One set on one cluster."""

    def __init__(self, client: Client, options: Options, mask: Mask, progress: t.Callable[[str], None]) -> None:
        self.client = client
        self.options = options
        self.mask = mask
        self.progress = progress
        self.resources = Resources(client, assume=options.check_mode)
        self.done: Outcome | None = None  # what was done so far, for the message of a failure
        self.pruner = Pruner(client, self.resources, options)

    def present(self, documents: t.Sequence[Document]) -> Outcome:
        """Make the cluster equal to the documents."""
        wanted = desired(documents, self.resources, self.options.set_id)
        if not wanted:
            raise KubeError("the set is empty: to remove it, say so with state absent")
        refuse_unused(self.options.not_owned, wanted)
        self.mask.public |= {part for key in wanted for part in (key.name, key.namespace)}
        for obj in wanted.values():
            self.mask.learn(obj)
        stored, live = self.observed(wanted)
        leaving = {key for key in wanted if going_away(live.get(key))}
        if leaving and not self.options.check_mode:
            self.await_removal({key: live[key] for key in leaving})
            stored, live = self.observed(wanted)
            leaving = set()
        plan = self.planned(wanted, live, leaving)
        fates = self.pruner.fates(stored, wanted, live) if self.options.prune else []
        self.refuse("applied", [*plan.refusals, *self.pruner.refusals(fates)])
        outcome = Outcome(plan.changes, fates, self.diff(plan.changes, fates))
        if not self.options.check_mode:
            self.carry_out(plan.changes, fates, stored, wanted)
            for change in plan.changes:
                change.verified = True
        return outcome

    def absent(self) -> Outcome:
        """Remove the set; its inventory alone says what that is."""
        stored = inventory.read(self.client, self.options.set_id)
        live = observe(self.client, listings({}, stored, self.resources), self.options.set_id)
        fates = self.pruner.fates(stored, (), live)
        self.refuse("removed", self.pruner.refusals(fates))
        outcome = Outcome([], fates, self.diff([], fates))
        if not self.options.check_mode and stored.version:
            executor = Executor(self.client, self.resources, self.options)
            outcome.fates = executor.fates
            self.done = Outcome([], executor.fates)
            executor.remove(fates, self.pruner)
            self.forget(stored, executor.fates)
        return outcome

    def forget(self, stored: Inventory, fates: t.Sequence[Fate]) -> None:
        """Keep the inventory only as long as it names something."""
        left = {fate.key: stored.items[fate.key] for fate in fates if fate.remembered}
        gone = Key("", "Namespace", "", stored.set_id.namespace) in {fate.key for fate in fates if fate.goes}
        if gone:
            return
        if not left:
            stored.remove(self.client)
        elif (left, "absent") != (stored.items, stored.state):
            dataclasses.replace(stored, items=left, state="absent").write(self.client)

    def observed(self, wanted: t.Mapping[Key, Object]) -> tuple[Inventory, dict[Key, Object]]:
        """The inventory and the live objects, read together."""
        nothing = Inventory(self.options.set_id)
        first = listings(wanted, nothing, self.resources)
        spaces = [key for key in wanted if key.is_namespace]
        reads: list[t.Callable[[], t.Any]] = [
            lambda: inventory.read(self.client, self.options.set_id),
            *(partial(read_namespace, self.client, key) for key in spaces),
            *calls(self.client, first, self.options.set_id),
        ]
        stored, *found = together(self.client, reads)
        live = {key: obj for part in found for key, obj in part.items()}
        # Check mode cannot know what other sets bring before the real run.
        if not stored.version and not self.options.check_mode:
            self.need_namespace(wanted)
        rest = [listing for listing in listings(wanted, stored, self.resources) if listing not in first]
        return stored, {**live, **observe(self.client, rest, self.options.set_id)}

    def need_namespace(self, wanted: t.Mapping[Key, Object]) -> None:
        """The namespace of a new inventory must be there, or come with the set."""
        key = Key("", "Namespace", "", self.options.set_id.namespace)
        if key not in wanted and not may_exist(self.client, NAMESPACE.path(None, key.name)):
            raise KubeError(f"the namespace {key.name} does not exist: create it, or make it an object of the set")

    def planned(
        self, wanted: t.Mapping[Key, Object], live: t.Mapping[Key, Object], leaving: t.Collection[Key] = ()
    ) -> Plan:
        """The plan, with all that stands against it."""
        for obj in live.values():
            self.mask.learn(obj)
        plan = Planner(self.client, self.resources, self.options, wanted, leaving).plan(live)
        for change in plan.changes:
            self.mask.learn(change.before)
        return plan

    def refuse(self, what: str, refusals: t.Sequence[Refusal]) -> None:
        """One message with all that stands against a run."""
        if refusals:
            texts = "\n".join(f"{refusal.key}: {refusal.text}" for refusal in refusals)
            raise KubeError(f"the set {self.options.set_id.name} cannot be {what}, and nothing was changed:\n{texts}")

    def await_removal(self, objects: t.Mapping[Key, Object]) -> None:
        """What is going away comes back only after it is gone."""
        executor = Executor(self.client, self.resources, self.options)
        for key, obj in objects.items():
            self.progress(f"{key}: waits until the old one is gone")
            path = self.resources.find(obj["apiVersion"], key.kind).path(key.namespace, key.name)
            wait_gone(self.client, doomed(path, obj), executor.deadline)

    def diff(self, changes: t.Sequence[Change], fates: t.Sequence[Fate]) -> list[dict[str, str]]:
        """The diff of a plan, when it was asked for."""
        if not self.options.diff:
            return []
        for obj in [item.before for item in changes] + [fate.live for fate in fates]:
            self.mask.learn(obj)
        shown = [
            diff.entry(item.key, item.before, item.after or item.wanted, self.mask)
            for item in changes
            if item.action != "unchanged"
        ]
        return shown + [diff.entry(fate.key, fate.live, None, self.mask) for fate in fates if fate.goes]

    def carry_out(
        self, changes: t.Sequence[Change], fates: t.Sequence[Fate], stored: Inventory, wanted: t.Mapping[Key, Object]
    ) -> None:
        """Apply, prune, remember, wait."""
        executor = Executor(self.client, self.resources, self.options)
        executor.live = {item.key: item.before for item in changes if item.action == "unchanged" and item.before}
        todo = [change for change in changes if change.action != "unchanged"]
        self.done = Outcome([], executor.fates)
        self.apply(executor, [change for change in todo if change.key.is_namespace])
        self.widen(stored, wanted)
        self.apply(executor, [change for change in todo if change.key.is_crd])
        rest = [change for change in todo if wave(change.key)]
        if len(rest) < len(todo):
            executor.verify(rest, wanted)
        self.apply(executor, rest)
        executor.remove(fates, self.pruner)
        self.narrow(stored, executor.live, wanted, executor.fates)
        if self.options.wait:
            patience = Patience(self.options.wait_timeout, self.options.wait_grace)
            fresh = [change.key for change in todo]
            tell = (self.progress, self.mask.learn)
            Waiter(self.client, self.resources, self.options.set_id, patience, *tell).wait(executor.live, fresh)

    def apply(self, executor: Executor, changes: t.Sequence[Change]) -> None:
        """Apply changes and keep account of them."""
        try:
            executor.apply_all(changes)
        finally:
            if self.done:
                self.done.changes += [change for change in changes if change.key in executor.live]

    def widen(self, stored: Inventory, wanted: t.Mapping[Key, Object]) -> None:
        """Remember new objects before they are made."""
        new = {key: Item(obj["apiVersion"], "") for key, obj in wanted.items() if key not in stored.items}
        if new or not stored.version or stored.state != "present":
            stored.items.update(new)
            stored.state = "present"
            stored.write(self.client)

    def narrow(
        self, stored: Inventory, live: t.Mapping[Key, Object], wanted: t.Mapping[Key, Object], fates: t.Sequence[Fate]
    ) -> None:
        """Forget what is gone, and remember which fields the set owns."""
        manager = self.options.set_id.manager
        items = {
            key: Item(obj["apiVersion"], inventory.fields_hash(live[key], manager))
            for key, obj in wanted.items()
            if key in live
        }
        forgotten = {fate.key for fate in fates if not fate.remembered}
        items.update({key: item for key, item in stored.items.items() if key not in wanted and key not in forgotten})
        if items != stored.items:
            stored.items = items
            stored.write(self.client)


def going_away(obj: Object | None) -> bool:
    """Whether an object is being deleted."""
    return bool(obj and obj["metadata"].get("deletionTimestamp"))
