"""What stays although it left the set, as other data would go with it."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._kube import options
from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.engine import Engine
from ansible_collections.mlops.platform.plugins.module_utils._kube.mask import Mask

from .fake_api import Server

Object = dict[str, t.Any]
CONF: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}}
OWN: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "own"}}
DATA: Object = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "own"}}
SAID = "Namespace own: it holds claims; remove_claims would remove them"
CLAIMS = "/api/v1/namespaces/own/persistentvolumeclaims"


def engine(client: Client, **given: t.Any) -> Engine:
    chosen = options.Options(
        set_id=options.set_id("ns", "demo"), **{"wait": False, "wait_timeout": 5, "remove_namespaces": True, **given}
    )
    return Engine(client, chosen, Mask(), lambda text: None)


def present(client: Client, *objects: Object, **given: t.Any) -> Object:
    documents = [Document(json.loads(json.dumps(obj)), "test") for obj in objects]
    return engine(client, **given).present(documents).result()


def absent(client: Client, **given: t.Any) -> Object:
    return engine(client, state="absent", **given).absent().result()


def home(server: Server, **meta: t.Any) -> None:
    """A claim that no set made."""
    server.store.save(f"{CLAIMS}/home", {"metadata": {"name": "home", "namespace": "own", **meta}}, "ADDED")


def test_a_namespace_with_a_claim_of_the_set_stays(server: Server, client: Client) -> None:
    present(client, CONF, OWN, DATA)
    said = [SAID, "PersistentVolumeClaim own/data: it holds data; remove_claims would remove it"]
    foretold = absent(client, check_mode=True)
    assert (foretold["kept"], foretold["pruned"]) == (said, ["ConfigMap ns/conf"])
    assert absent(client) == foretold
    assert {"/api/v1/namespaces/own", f"{CLAIMS}/data"} <= server.store.objects.keys()
    assert absent(client, remove_claims=True)["pruned"] == ["Namespace own", "PersistentVolumeClaim own/data"]


def test_a_namespace_with_a_claim_of_nobody_stays_and_is_remembered(server: Server, client: Client) -> None:
    present(client, CONF, OWN)
    home(server)
    assert absent(client, check_mode=True)["kept"] == [SAID]
    assert absent(client)["kept"] == [SAID]
    assert absent(client)["kept"] == [SAID], "the inventory remembers it"
    server.store.objects.pop(f"{CLAIMS}/home")
    assert absent(client)["pruned"] == ["Namespace own"]
    assert "/api/v1/namespaces/ns/configmaps/kube-set-demo" not in server.store.objects


def test_a_namespace_that_leaves_the_templates_stays(server: Server, client: Client) -> None:
    present(client, CONF, OWN)
    home(server)
    assert present(client, CONF)["kept"] == ["Namespace own: namespaces are never pruned"]
    assert absent(client)["kept"] == [SAID]


def test_a_claim_that_comes_between_the_plan_and_the_removal(server: Server, client: Client) -> None:
    present(client, CONF, OWN)
    run = engine(client, state="absent")
    refuse = run.refuse

    def late(*arguments: t.Any) -> None:
        refuse(*arguments)
        home(server)

    run.refuse = late  # type: ignore[method-assign]
    result = run.absent().result()
    assert (result["kept"], result["pruned"]) == ([SAID], ["ConfigMap ns/conf"])
    assert "/api/v1/namespaces/own" in server.store.objects
