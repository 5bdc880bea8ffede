"""Random changes of objects: the cluster becomes equal to what the server accepts, and the next run changes nothing."""

from __future__ import annotations

import copy
import random
import typing as t

import pytest
from e2e.kube_set.kinds import before
from e2e.kube_set.mutation import mutate, restore
from e2e.kube_set.support import Object, Space, strip

from ansible_collections.mlops.platform.plugins.module_utils._kube.desired import without_nulls
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import ApiError, KubeError

KINDS = (
    "ConfigMap",
    "Secret",
    "Service",
    "Deployment",
    "CronJob",
    "Role",
    "NetworkPolicy",
    "HorizontalPodAutoscaler",
    "ResourceQuota",
    "Ingress",
    "ValidatingAdmissionPolicy",
    "RayService",
)


def fresh(space: Space, obj: Object) -> Object | None:
    """What the server makes of the object when there is none yet: a dry run under another name."""
    twin: Object = without_nulls(copy.deepcopy(obj))
    twin["metadata"] = {**(twin.get("metadata") or {}), "name": "twin", "namespace": space.name}
    if obj["kind"] == "ValidatingAdmissionPolicy":
        del twin["metadata"]["namespace"]
        twin["metadata"]["name"] = f"{space.name}-twin"
    path = space.path(twin["apiVersion"], twin["kind"], twin["metadata"]["name"])
    query = {"fieldManager": "twin", "dryRun": "All", "force": True}
    try:
        answer = space.client.request("PATCH", path, query, twin, "application/apply-patch+yaml").body
    except ApiError:
        return None
    return strip(t.cast(Object, answer))


def differences(one: t.Any, other: t.Any, path: str = "") -> list[str]:
    """Where two values differ. The server keeps the pull policy that it once derived from an image's tag."""
    if path.endswith(".imagePullPolicy"):
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [text for key in keys for text in differences(one.get(key), other.get(key), f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [text for index, pair in enumerate(zip(one, other)) for text in differences(*pair, f"{path}[{index}]")]
    return [] if one == other else [f"{path}: {one!r} is not {other!r}"]


def nothing_more(space: Space, wanted: Object, name: tuple[str, str, str], odd: bool) -> bool:
    """Whether the next run changes nothing.

    The server takes some forms as a change of an object, such as an empty struct with required fields in place of a
    full one, that it refuses as a new object (odd), and then also when they are applied once more.
    """
    now = strip(space.get(*name))
    try:
        return not space.present(wanted).result()["changed"]
    except KubeError:
        return odd and strip(space.get(*name)) == now


def walk(space: Space, kind: str, seed: int, steps: int) -> int:
    """Change an object step by step; the number of changes that the server accepted."""
    chance = random.Random(f"{kind} {seed}")
    first = current = before(kind, space.name)
    name = (current["apiVersion"], kind, current["metadata"]["name"])
    space.present(current)
    accepted = 0
    for step in range(steps):
        wanted = restore(chance, current, first) if chance.random() < 0.15 else mutate(chance, current)
        where = f"{kind}, seed {seed}, step {step}: {wanted}"
        old = strip(space.get(*name))
        try:
            foretold = space.present(wanted, check_mode=True).result()
            done = space.present(wanted).result()
        except KubeError:
            assert strip(space.get(*name)) == old, f"changed by a refused run: {where}"
            continue
        assert foretold == done, where
        expected = fresh(space, wanted)
        assert nothing_more(space, wanted, name, expected is None), f"not idempotent: {where}"
        if expected is not None:
            assert differences(strip(space.get(*name)), expected) == [], f"not what a new object would be: {where}"
        accepted, current = accepted + 1, wanted
    return accepted


@pytest.mark.parametrize("kind", KINDS)
def test_apply_then_nothing(space: Space, kind: str) -> None:
    assert walk(space, kind, seed=1, steps=30) >= 2


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 7))
@pytest.mark.parametrize("kind", KINDS)
def test_apply_then_nothing_for_long(space: Space, kind: str, seed: int) -> None:
    assert walk(space, kind, seed, steps=120) >= 2


def intrude(chance: random.Random, live: Object) -> Object:
    """A live object with one random change of what it holds."""
    changed = copy.deepcopy(live)
    for field in ("metadata", "status"):
        changed.pop(field, None)
    changed = mutate(chance, changed)
    meta = {
        key: live["metadata"][key]
        for key in ("name", "resourceVersion", "uid", "labels", "namespace")
        if key in live["metadata"]
    }
    return {**changed, "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": meta}


def repaired(space: Space, kind: str, seed: int, steps: int) -> int:
    """Somebody else changes the live object; the number of changes that had to be set right."""
    chance = random.Random(f"{kind} by another {seed}")
    wanted = before(kind, space.name)
    name = (wanted["apiVersion"], kind, wanted["metadata"]["name"])
    path = space.path(*name)
    space.present(wanted)
    good, count = fresh(space, wanted), 0
    for step in range(steps):
        live = space.get(*name)
        try:
            space.client.request("PUT", path, {"fieldManager": "intruder"}, intrude(chance, live))
        except ApiError:
            continue
        try:
            done = space.present(wanted).result()
        except KubeError as error:
            # What the other added to a list can make the merged object invalid: nobody can apply that.
            if "is invalid" not in str(error):
                raise
            space.client.request("DELETE", path)
            space.present(wanted)
            continue
        assert not space.present(wanted).result()["changed"], f"not idempotent: {kind}, seed {seed}, step {step}"
        count += done["changed"]
        now = strip(space.get(*name))
        if good is not None and now != good:
            # What the set never named stays as the other left it; everything that it names must be right.
            assert covers(now, good, wanted), f"{kind}, seed {seed}, step {step}: {now}"
            space.client.request("DELETE", path)
            space.present(wanted)
    return count


def covers(live: t.Any, good: t.Any, wanted: t.Any) -> bool:
    """Whether live agrees with good in all that is wanted; items that others added to a list do not count."""
    if isinstance(wanted, dict) and isinstance(live, dict) and isinstance(good, dict):
        return all(covers(live.get(key), good.get(key), item) for key, item in wanted.items() if key in good)
    if isinstance(wanted, list) and isinstance(live, list) and isinstance(good, list):
        return all(any(covers(mine, *pair) for mine in live) for pair in zip(good, wanted))
    return bool(live == good)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "Service"])
def test_changes_by_another_manager_are_set_right(space: Space, kind: str) -> None:
    assert repaired(space, kind, seed=1, steps=12) >= 1
