# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Reading the set's objects: one LIST per kind instead of one GET per object."""

from __future__ import annotations

import typing as t
from functools import partial

from .client import Client
from .errors import ApiError, KubeError, UnknownKindError
from .inventory import Inventory
from .objects import SET_LABEL, Key, Object, SetId
from .resources import NAMESPACE, Resource, Resources

FEW_NAMESPACES = 2
Result = t.TypeVar("Result")


class Listing(t.NamedTuple):
    """A kind, and the namespaces in which it is looked for; none stands for all."""

    resource: Resource
    namespaces: tuple[str, ...]


def listings(wanted: t.Mapping[Key, Object], inventory: Inventory, resources: Resources) -> list[Listing]:
    """What to list. Kinds that the server lost since the last run are left out: their objects are gone."""
    versions = {key: item.api_version for key, item in inventory.items.items()}
    versions.update({key: obj["apiVersion"] for key, obj in wanted.items()})
    places: dict[Resource, set[str]] = {}
    for key, api_version in versions.items():
        if key.is_namespace:
            continue
        try:
            resource = resources.find(api_version, key.kind)
        except UnknownKindError:
            if key in wanted:
                raise
            continue
        places.setdefault(resource, set()).add(key.namespace)
    return [Listing(resource, tuple(sorted(found))) for resource, found in places.items()]


def paths(listing: Listing, few: int = FEW_NAMESPACES) -> list[str]:
    """The paths to list: few namespaces one by one, which needs fewer rights; many at once."""
    if listing.resource.namespaced and len(listing.namespaces) <= few:
        return [listing.resource.path(namespace) for namespace in listing.namespaces]
    return [listing.resource.path()]


def observe(client: Client, found: t.Sequence[Listing], set_id: SetId) -> dict[Key, Object]:
    """The live objects that carry the set's label."""
    answers = together(client, calls(client, found, set_id))
    return {key: obj for answer in answers for key, obj in answer.items()}


def calls(client: Client, found: t.Sequence[Listing], set_id: SetId) -> list[t.Callable[[], dict[Key, Object]]]:
    """The LISTs, one call each."""
    return [partial(listed, client, listing, path, set_id) for listing in found for path in paths(listing)]


def together(client: Client, reads: t.Sequence[t.Callable[[], Result]]) -> list[Result]:
    """The results of all reads, or one message with everything that may not be read."""
    answers = client.each(unless_denied, reads)
    denied = dict.fromkeys(str(answer) for answer in answers if isinstance(answer, ApiError))
    if denied:
        raise KubeError("\n".join(denied))
    return t.cast("list[Result]", answers)


def unless_denied(read: t.Callable[[], Result]) -> Result | ApiError:
    """The result of a read, or that it is not allowed."""
    try:
        return read()
    except ApiError as error:
        if error.status != 403:
            raise
        return error


def listed(client: Client, listing: Listing, path: str, set_id: SetId) -> dict[Key, Object]:
    """The objects of one LIST; without the right to list everywhere, those of each namespace."""
    try:
        return objects_at(client, listing.resource, path, set_id)
    except ApiError as error:
        if error.status != 403 or not listing.resource.namespaced or path != listing.resource.path():
            raise
    found: dict[Key, Object] = {}
    for namespace_path in paths(listing, few=len(listing.namespaces)):
        found.update(objects_at(client, listing.resource, namespace_path, set_id))
    return found


def objects_at(client: Client, resource: Resource, path: str, set_id: SetId) -> dict[Key, Object]:
    """The objects at a path, with the kind that the items of a list leave out."""
    body = client.find(path, {"labelSelector": f"{SET_LABEL}={set_id.label}"}) or {}
    found = {}
    for item in body.get("items") or []:
        meta = item["metadata"]
        key = Key(resource.group, resource.kind, meta.get("namespace") or "", meta["name"])
        found[key] = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
    return found


def read_namespace(client: Client, key: Key) -> dict[Key, Object]:
    """A namespace of the set, which carries no label of it."""
    found = client.find(NAMESPACE.path(None, key.name))
    return {key: found} if found else {}


def may_exist(client: Client, path: str) -> bool:
    """Whether an object exists, as far as one may see it."""
    try:
        return client.find(path) is not None
    except ApiError as error:
        if error.status != 403:
            raise
        return True
