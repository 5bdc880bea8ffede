# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Deleting objects and waiting until they are gone."""

from __future__ import annotations

import time
import typing as t

from .client import Client
from .errors import ApiError, KubeError
from .objects import Object, key_of, wave
from .retry import webhook_missing
from .watch import Watch, remaining


class Doomed(t.NamedTuple):
    """An object to delete: where it lies, which one it is, and what becomes of its dependents."""

    title: str
    path: str
    name: str
    uid: str
    policy: str

    @property
    def collection(self) -> str:
        """The path of the objects among which it lies."""
        return self.path.rpartition("/")[0]


def doomed(path: str, obj: Object) -> Doomed:
    """The object as it is to be deleted. A workload is gone only when its pods are."""
    key = key_of(obj)
    policy = "Foreground" if wave(key) >= 2 else "Background"
    return Doomed(str(key), path, key.name, obj["metadata"]["uid"], policy)


def delete_options(target: Doomed) -> Object:
    """What is to be deleted, and how."""
    return {"propagationPolicy": target.policy, "preconditions": {"uid": target.uid}}


def delete(client: Client, target: Doomed) -> None:
    """Delete this very object."""
    try:
        client.request("DELETE", target.path, None, delete_options(target))
    except ApiError as error:
        # Gone, or another one by the same name: both mean that this one is deleted.
        if not error.not_found and error.status != 409:
            raise


def rehearsed(client: Client, target: Doomed) -> None:
    """Ask the server whether the object may be deleted; raises its refusal."""
    try:
        # The server heeds the query only where there is no body; in the query it is for the client and its readers.
        client.request("DELETE", target.path, {"dryRun": "All"}, {**delete_options(target), "dryRun": ["All"]})
    except ApiError as error:
        unknown = "does not support dry run" in error.message or webhook_missing(error)
        if not error.not_found and error.status != 409 and not unknown:
            raise


def wait_gone(client: Client, target: Doomed, deadline: float) -> None:
    """Wait until the object is gone, or name what holds it."""
    last = client.find(target.path)
    if last is None or last["metadata"]["uid"] != target.uid:
        return
    with Watch(client) as watch:
        watch.follow(target, target.collection, {"fieldSelector": f"metadata.name={target.name}"})
        while remaining(deadline) > 0:
            event = watch.next(remaining(deadline))
            if event is None:
                break
            if event.type == "FAILED":
                poll_gone(client, target, deadline)
                return
            found = event.object.get("items") or [] if event.type == "LISTED" else [event.object]
            here = [obj for obj in found if obj["metadata"]["uid"] == target.uid]
            if event.type == "DELETED" and here:
                return
            if event.type == "LISTED" and not here:
                return
            last = here[0] if here else last
    raise KubeError(holders(last, target))


def poll_gone(client: Client, target: Doomed, deadline: float) -> None:
    """Wait without the right to watch."""
    last = client.find(target.path)
    while last and last["metadata"]["uid"] == target.uid:
        if remaining(deadline) <= 0:
            raise KubeError(holders(last, target))
        time.sleep(0.5)
        last = client.find(target.path)


def holders(obj: Object, target: Doomed) -> str:
    """Why an object does not go away."""
    meta = obj["metadata"]
    names = list(meta.get("finalizers") or []) + [
        f"{item} (namespace)" for item in (obj.get("spec") or {}).get("finalizers") or []
    ]
    conditions = [
        f"{item['type']}: {item.get('message')}"
        for item in (obj.get("status") or {}).get("conditions") or []
        if item.get("status") == "True" and item.get("message")
    ]
    why = f"held by the finalizer {', '.join(names)}" if names else "still there, held by no finalizer"
    return f"{target.title} was deleted but is {why}" + "".join(f"; {text}" for text in conditions)


def attempt(client: Client, target: Doomed, deadline: float) -> KubeError | None:
    """Wait until a deleted object is gone; the result is what holds it."""
    try:
        wait_gone(client, target, deadline)
    except KubeError as error:
        return error
    return None


def removals(client: Client, targets: t.Sequence[Doomed], deadline: float) -> list[KubeError | None]:
    """Delete objects together and wait for all of them; for each, what went wrong."""
    refused = client.each(lambda target: attempt_delete(client, target), targets)
    waiting = [target for target, error in zip(targets, refused) if not error]
    held = dict(zip(waiting, client.each(lambda target: attempt(client, target, deadline), waiting)))
    return [error or held[target] for target, error in zip(targets, refused)]


def attempt_delete(client: Client, target: Doomed) -> KubeError | None:
    """Delete an object; the result is why it could not be."""
    try:
        delete(client, target)
    except KubeError as error:
        return KubeError(f"{target.title}: {error}")
    return None


def remove_all(client: Client, targets: t.Sequence[Doomed], deadline: float) -> None:
    """Delete objects together and wait for all of them; one error with all that went wrong."""
    raise_all(removals(client, targets, deadline))


def raise_all(errors: t.Sequence[KubeError | None]) -> None:
    """Raise all errors as one."""
    texts = [str(error) for error in errors if error]
    if texts:
        raise KubeError("\n".join(texts))
