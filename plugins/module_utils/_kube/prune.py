# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What may be removed. The rules decide on data; the functions below them fetch it."""

from __future__ import annotations

import typing as t

from .change import Refusal
from .claims import lasts
from .client import Client
from .compare import applied_entry
from .errors import KubeError, UnknownKindError
from .inventory import Inventory, decode
from .objects import INVENTORY_LABEL, SET_LABEL, Key, Object, SetId, meta_of
from .options import Options
from .remove import doomed, rehearsed
from .resources import CLAIM, CONFIG_MAP, Resources

KIND_IN_USE = "objects of its kind are left"
CLAIMS_INSIDE = "it holds claims; remove_claims would remove them"


class Fate(t.NamedTuple):
    """What happens to an object that left the set: it goes, it stays for a reason, or it is gone already."""

    key: Key
    live: Object | None = None
    kept: str = ""
    remembered: bool = False  # whether the inventory goes on naming it

    @property
    def goes(self) -> bool:
        """Whether the object is to be deleted."""
        return self.live is not None and not self.kept


def stranger(live: Object, set_id: SetId, labelled: bool = True) -> str:
    """Why an object is not the set's to remove, or nothing."""
    meta = live.get("metadata") or {}
    label = meta_of(live, "labels").get(SET_LABEL)
    if labelled and label != set_id.label:
        return f"it belongs to the set {label}" if label else "it lost the label of the set"
    if not applied_entry(live, set_id.manager):
        return "it was not applied by this set"
    controllers = [
        f"{owner['kind']} {owner['name']}" for owner in meta.get("ownerReferences") or [] if owner.get("controller")
    ]
    return f"it is controlled by {controllers[0]}" if controllers else ""


def fate(key: Key, live: Object | None, options: Options) -> Fate:
    """What the rules say about an object that left the set."""
    if live is None:
        return Fate(key)
    foreign = stranger(live, options.set_id, labelled=not key.is_namespace)
    if foreign:
        return Fate(key, live, foreign)
    if key.is_claim and not options.remove_claims:
        return Fate(key, live, "it holds data; remove_claims would remove it", remembered=True)
    if key.is_namespace and options.state == "present":
        return Fate(key, live, "namespaces are never pruned", remembered=True)
    if key.is_namespace and not options.remove_namespaces:
        return Fate(key, live, "it is a namespace; remove_namespaces would remove it", remembered=True)
    return Fate(key, live)


class Pruner:
    """Finds what left the set and asks the server what the rules need to know."""

    def __init__(self, client: Client, resources: Resources, options: Options) -> None:
        self.client = client
        self.resources = resources
        self.options = options

    def fates(self, inventory: Inventory, wanted: t.Collection[Key], live: t.Mapping[Key, Object]) -> list[Fate]:
        """What happens to each object of the inventory that is not wanted."""
        leaving = [key for key in inventory.items if key not in wanted]
        return self.client.each(lambda key: self.decided(key, inventory.items[key].api_version, live.get(key)), leaving)

    def decided(self, key: Key, api_version: str, live: Object | None) -> Fate:
        """The fate of one object. What is not found by its label is asked for by its name."""
        found = fate(key, live or self.read(key, api_version), self.options)
        if not found.goes or found.live is None:
            return found
        kept = self.shared(key.name) if key.is_namespace else ""
        kept = kept or self.full(key, found.live)
        return found._replace(kept=kept, remembered=bool(kept))

    def full(self, key: Key, live: Object) -> str:
        """What would vanish with an object that holds others and has to stay for them, whoever made those."""
        if key.is_crd and self.in_use(live):
            return KIND_IN_USE
        if key.is_namespace and not self.options.remove_claims and self.holds_claims(key.name):
            return CLAIMS_INSIDE
        return ""

    def read(self, key: Key, api_version: str) -> Object | None:
        """One object by its name, or None when it or its kind is gone."""
        try:
            resource = self.resources.find(api_version, key.kind)
        except UnknownKindError:
            return None
        return t.cast("Object | None", self.client.find(resource.path(key.namespace, key.name)))

    def in_use(self, crd: Object) -> bool:
        """Whether objects of a CRD's kind exist that are not about to go."""
        mine = self.options.set_id.label
        return any(meta_of(item, "labels").get(SET_LABEL) != mine for item in instances(self.client, crd))

    def holds_claims(self, namespace: str) -> bool:
        """Whether claims are in a namespace that would last without its removal."""
        return any(map(lasts, self.client.get(CLAIM.path(namespace)).get("items") or []))

    def path(self, item: Fate) -> str:
        """Where an object lies."""
        api_version = (item.live or {})["apiVersion"]
        return self.resources.find(api_version, item.key.kind).path(item.key.namespace, item.key.name)

    def refusals(self, fates: t.Sequence[Fate]) -> list[Refusal]:
        """What stands against removing what is to go."""
        going = [item for item in fates if item.goes]
        texts = self.client.each(self.refusal, going)
        return [Refusal(item.key, text) for item, text in zip(going, texts) if text]

    def refusal(self, item: Fate) -> str:
        """Why one object cannot go: its data would be lost, or the server does not allow it."""
        live = item.live or {}
        text = "" if self.options.remove_claims else loses_claims(live)
        if text:
            return text
        try:
            rehearsed(self.client, doomed(self.path(item), live))
        except KubeError as error:
            return f"it cannot be removed: {error}"
        return ""

    def shared(self, namespace: str) -> str:
        """The other sets that live in a namespace or name it."""
        body = self.client.get(CONFIG_MAP.path(), {"labelSelector": INVENTORY_LABEL})
        names = [
            other.set_id.label
            for other in map(decode, body.get("items") or [])
            if other.set_id != self.options.set_id and uses(other, namespace)
        ]
        return f"the set {', '.join(sorted(names))} uses it" if names else ""


def instances(client: Client, crd: Object) -> list[Object]:
    """The objects of a CRD's kind."""
    spec = crd["spec"]
    served = [version["name"] for version in spec["versions"] if version.get("served")]
    body = client.find(f"/apis/{spec['group']}/{served[0]}/{spec['names']['plural']}") if served else None
    return t.cast("list[Object]", (body or {}).get("items") or [])


def loses_claims(live: Object) -> str:
    """Why a StatefulSet may not go without remove_claims: Kubernetes would remove its claims with it."""
    spec = live.get("spec") or {}
    policy = (spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenDeleted")
    if live.get("kind") != "StatefulSet" or policy != "Delete" or not spec.get("volumeClaimTemplates"):
        return ""
    return (
        "its claims hold data and would go with it: set spec.persistentVolumeClaimRetentionPolicy.whenDeleted to "
        "Retain first, or set remove_claims to true"
    )


def uses(inventory: Inventory, namespace: str) -> bool:
    """Whether a set has something in a namespace, or names it."""
    if inventory.set_id.namespace == namespace and inventory.state == "present":
        return True
    present = inventory.state == "present"
    return any(
        key.namespace == namespace or (present and key.is_namespace and key.name == namespace)
        for key in inventory.items
    )
