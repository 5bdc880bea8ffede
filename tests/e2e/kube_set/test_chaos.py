"""A real API server behind a connection that breaks."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t
from urllib.parse import urlsplit

import pytest
import yaml
from e2e.kube_set.chaos import ChaosProxy
from e2e.kube_set.kinds import before
from e2e.kube_set.support import Object, Recorder, Space
from e2e.kube_set.test_wait import serving, workload

from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document

KINDS = ("ConfigMap", "Secret", "Service", "ServiceAccount", "Role", "RoleBinding", "Deployment", "CronJob")


def objects(space: Space, copies: int) -> list[Object]:
    found = []
    for number in range(copies):
        for kind in KINDS:
            obj = before(kind, space.name)
            obj["metadata"]["name"] += f"-{number}"
            found.append(obj)
    return found


@pytest.fixture
def upstream(client: Recorder) -> tuple[str, int]:
    url = urlsplit(client.transport.connection.server)
    return str(url.hostname), url.port or 443


def documents(space: Space, wanted: t.Iterable[Object]) -> list[Document]:
    return [document for obj in wanted for document in space.documents(yaml.safe_dump(obj))]


def through(client: Recorder, proxy: ChaosProxy) -> Client:
    connection = client.transport.connection
    name = connection.tls_server_name or urlsplit(connection.server).hostname
    server = f"https://127.0.0.1:{proxy.port}"
    return Client(dataclasses.replace(connection, server=server, tls_server_name=name), workers=3)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 6))])
def test_connections_that_break_all_the_time(space: Space, upstream: tuple[str, int], seed: int) -> None:
    wanted = objects(space, 5)
    with ChaosProxy(upstream, cut_after=80000, seed=seed) as proxy, through(space.client, proxy) as broken:
        done = space.engine(client=broken).present(documents(space, wanted)).result()
        again = space.engine(client=broken).present(documents(space, wanted)).result()
        assert proxy.cuts > 0, "nothing broke"
    assert len(done["created"]) == len(wanted)
    assert not again["changed"]
    assert len(space.absent().result()["pruned"]) == len(wanted)


def test_a_server_that_restarts_in_the_middle(space: Space, upstream: tuple[str, int]) -> None:
    wanted = objects(space, 5)
    with ChaosProxy(upstream) as proxy, through(space.client, proxy) as client:
        engine = space.engine(client=client)
        widen = engine.widen

        def interrupted(*arguments: t.Any) -> None:
            with proxy.gone(3):
                widen(*arguments)  # returns only after the server is back

        engine.widen = interrupted  # type: ignore[method-assign]
        done = engine.present(documents(space, wanted)).result()
        assert proxy.refused > 0
    assert len(done["created"]) == len(wanted)


def test_a_wait_goes_on_when_the_server_restarts(space: Space, upstream: tuple[str, int], program_image: str) -> None:
    obj = workload("Deployment", serving(program_image, nodeSelector={"kube-set-test": space.name}))
    nodes = space.client.get("/api/v1/nodes")["items"]
    node = f"/api/v1/nodes/{nodes[0]['metadata']['name']}"

    def label(value: str | None) -> None:
        body = {"metadata": {"labels": {"kube-set-test": value}}}
        space.client.request("PATCH", node, None, body, "application/merge-patch+json")

    with ChaosProxy(upstream) as proxy, through(space.client, proxy) as client:

        def trouble() -> None:
            time.sleep(1)
            with proxy.gone(2):
                label(space.name)

        thread = threading.Thread(target=trouble)
        thread.start()
        try:
            engine = space.engine(client=client, wait=True, wait_timeout=60, wait_grace=30)
            engine.present(documents(space, [obj]))
        finally:
            thread.join()
            label(None)
        assert proxy.refused > 0
