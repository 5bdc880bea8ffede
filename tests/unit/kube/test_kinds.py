"""Kinds that the server lacks, and kinds whose definition changes in the same run as their objects."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube import options
from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.engine import Engine
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.mask import Mask

from .fake_api import Fault, Server

Object = dict[str, t.Any]
CONF: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}}
POLICY: Object = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "rule"},
}
THING: Object = {"apiVersion": "some.example/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {"new": "1"}}
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.some.example"
NO_PAGE = {"message": "404 page not found"}
UNDECLARED = {
    "message": "failed to create typed patch object (ns/one; some.example/v1, Kind=Thing): "
    ".spec.new: field not declared in schema"
}


def crd(*fields: str) -> Object:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.some.example"},
        "spec": {
            "group": "some.example",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def present(client: Client, *objects: Object, **given: t.Any) -> Object:
    chosen = options.Options(set_id=options.set_id("ns", "demo"), **{"wait": False, "wait_timeout": 5, **given})
    documents = [Document(json.loads(json.dumps(obj)), "test") for obj in objects]
    return Engine(client, chosen, Mask(), lambda text: None).present(documents).result()


def written(server: Server) -> list[str]:
    return [request for request in server.seen if not request.startswith("GET") and "dryRun" not in request]


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_built_in_kind_that_an_old_server_does_not_have(server: Server, client: Client, check_mode: bool) -> None:
    server.faults = [Fault("status", "validatingadmissionpolicies", 99, 404, NO_PAGE)]
    unknown = "unknown kind ValidatingAdmissionPolicy in admissionregistration.k8s.io/v1: neither the server"
    with pytest.raises(KubeError, match=unknown) as caught:
        present(client, CONF, POLICY, crd(), check_mode=check_mode)
    assert "nothing was changed" in str(caught.value)
    assert not written(server)


def test_a_404_of_somebody_else_is_told_as_it_is(server: Server, client: Client) -> None:
    resources = [{"name": "validatingadmissionpolicies", "kind": "ValidatingAdmissionPolicy"}]
    server.store.objects["/apis/admissionregistration.k8s.io/v1"] = {"resources": resources}
    server.faults = [Fault("status", "PATCH .*policies", 99, 404, {"message": "the webhook found no owner"})]
    with pytest.raises(KubeError, match="the server refuses it: the webhook found no owner"):
        present(client, CONF, POLICY)
    assert not written(server)


def test_a_kind_that_the_set_defines_is_not_served_yet(server: Server, client: Client) -> None:
    server.faults = [Fault("status", "PATCH .*/things/", 99, 404, NO_PAGE)]
    assert present(client, crd(), THING, check_mode=True)["not_verified"] == ["Thing ns/one"]


def established(server: Server, client: Client) -> None:
    """The definition as it was, without the new field."""
    store = server.store
    store.apply(DEFINITION, crd("old"), {"fieldManager": "kube_set.ns.demo"})
    store.objects[DEFINITION]["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    present(client, crd("old"))
    server.seen.clear()


@pytest.mark.parametrize("status", [500, 400])
def test_an_object_with_a_field_that_its_definition_gains(server: Server, client: Client, status: int) -> None:
    """The old schema does not have it; also just after the change, the server may still go by the old one."""
    established(server, client)
    server.faults = [Fault("status", "PATCH .*/things/", 99, status, UNDECLARED)]
    foretold = present(client, crd("old", "new"), THING, check_mode=True)
    assert (foretold["not_verified"], foretold["created"]) == (["Thing ns/one"], ["Thing ns/one"])
    assert not written(server)
    server.faults[0].times = 3
    done = present(client, crd("old", "new"), THING)
    assert done == {**foretold, "not_verified": []}
    assert server.faults[0].times == 0
    server.faults = [Fault("status", "PATCH .*/things/.*dryRun", 1, status, UNDECLARED)]
    changed = {**THING, "spec": {"new": "2"}}
    assert present(client, crd("old", "new", "newer"), changed)["configured"] == [
        "CustomResourceDefinition things.some.example",
        "Thing ns/one",
    ]


def test_a_field_that_no_definition_gains_is_refused(server: Server, client: Client) -> None:
    established(server, client)
    server.faults = [Fault("status", "PATCH .*/things/", 99, 500, UNDECLARED)]
    with pytest.raises(KubeError, match="field not declared in schema") as caught:
        present(client, crd("old"), THING, CONF)
    assert "nothing was changed" in str(caught.value)
    assert not written(server)
