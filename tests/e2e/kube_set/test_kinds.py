"""Each kind through its life: create, change and delete, each in check mode, for real, and both again."""

from __future__ import annotations

import re
import typing as t

import pytest
from e2e.kube_set.kinds import SPECS, after, before
from e2e.kube_set.support import Object, Recorder, Space, writes

from ansible_collections.mlops.platform.plugins.module_utils._kube.engine import Outcome

IDENTITY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=kube-api-access-)\w{5}")
HOLDS_DATA = {"PersistentVolumeClaim", "PersistentVolume"}
REWRITTEN = {"pods", "limitranges"}  # the server adds so much to these that only its dry run can compare them
KEEPER: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keeper"}, "data": {"stays": "yes"}}


def four_steps(client: Recorder, run: t.Callable[..., t.Any], verb: str, title: str) -> None:
    """Check mode, for real, and both again: only the second step writes, and the last two change nothing."""
    with client.recording() as sent:
        foretold = run(check_mode=True)
    assert not writes(sent), "check mode wrote something"
    done = run()
    assert texts(foretold) == texts(done), "check mode foretold another diff than the run had"
    assert foretold.result() == {**done.result(), "not_verified": foretold.result()["not_verified"]}
    assert not foretold.result()["not_verified"]
    names = done.result()[verb]
    assert any(name.startswith(f"{title} ") for name in names), f"{verb} is {names}"
    for check_mode in (True, False):
        with client.recording() as sent:
            again = run(check_mode=check_mode)
        assert not again.result()["changed"], again.result()
        assert not writes(sent)


def texts(outcome: Outcome) -> list[str]:
    """The diff, without the identities that the server draws anew for each request."""
    return [IDENTITY.sub("UID", entry["before"] + entry["after"]) for entry in outcome.diff]


@pytest.mark.parametrize("title", SPECS)
def test_life_of_a_kind(space: Space, title: str) -> None:
    options = {"remove_claims": title in HOLDS_DATA}
    first, second = before(title, space.name), after(title, space.name)
    four_steps(space.client, lambda **more: space.present(KEEPER, first, **options, **more), "created", title)
    four_steps(space.client, lambda **more: space.present(KEEPER, second, **options, **more), "configured", title)
    four_steps(space.client, lambda **more: space.present(KEEPER, **options, **more), "pruned", title)
    assert space.get(first["apiVersion"], first["kind"], first["metadata"]["name"]) is None


def test_life_of_a_namespace(space: Space) -> None:
    """It is created and changed as all others; it goes with the set and its word, and never before."""

    def namespace(value: str) -> Object:
        meta = {"name": f"{space.name}-own", "labels": {"mlops.test/value": value}}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}

    four_steps(space.client, lambda **more: space.present(KEEPER, namespace("1"), **more), "created", "Namespace")
    four_steps(space.client, lambda **more: space.present(KEEPER, namespace("2"), **more), "configured", "Namespace")
    four_steps(space.client, lambda **more: space.absent(remove_namespaces=True, **more), "pruned", "Namespace")
    assert space.get("v1", "Namespace", f"{space.name}-own") is None


def test_all_kinds_in_one_set(space: Space) -> None:
    """A virgin namespace: the plan of the check mode is what the run does, and the second run asks with LISTs only."""
    objects = [before(title, space.name) for title in SPECS]
    foretold = space.present(*objects, check_mode=True)
    done = space.present(*objects)
    assert foretold.result() == done.result()
    assert len(done.result()["created"]) == len(SPECS)
    with space.client.recording() as sent:
        again = space.present(*objects)
    assert not again.result()["changed"]
    asked = {target.split("?")[0].split("/")[-2] for method, target in sent if method != "GET"}
    assert asked <= REWRITTEN, "an unchanged set costs no dry run"
    gone = space.absent(remove_claims=True)
    assert len(gone.result()["pruned"]) == len(SPECS)
    assert not space.absent(remove_claims=True).result()["changed"]
