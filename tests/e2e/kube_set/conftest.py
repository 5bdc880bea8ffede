"""Fixtures for the tests of kube_set on a real API server: the one that MLOPS_LAB_KUBECONFIG names, or the lab's."""

from __future__ import annotations

import os
import secrets
import time
import typing as t
from pathlib import Path

import pytest
from e2e.kube_set.support import Recorder, Space

from ansible_collections.mlops.platform.plugins.module_utils._kube.kubeconfig import connection_from
from ansible_collections.mlops.platform.plugins.module_utils._kube.remove import delete, doomed, wait_gone
from ansible_collections.mlops.platform.plugins.module_utils._kube.resources import NAMESPACE

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    path = Path(os.environ.get("MLOPS_LAB_KUBECONFIG") or ROOT / ".lab" / "desa01.kubeconfig")
    assert path.exists(), f"{path} does not exist: run 'make lab', or set MLOPS_LAB_KUBECONFIG"
    return str(path)


@pytest.fixture(scope="session")
def client(kubeconfig: str) -> Iterator[Recorder]:
    with Recorder(connection_from({"kubeconfig": kubeconfig, "allow_any_server": True})) as found:
        yield found


@pytest.fixture(scope="module")
def namespace(client: Recorder) -> Iterator[str]:
    """A namespace for the tests of one file: its removal takes seconds."""
    name = f"kube-set-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    target = doomed(NAMESPACE.path(None, name), client.request("POST", NAMESPACE.path(), None, body).body)
    yield name
    delete(client, target)
    wait_gone(client, target, time.monotonic() + 60)


@pytest.fixture
def space(client: Recorder, namespace: str) -> Iterator[Space]:
    """The namespace for one test, whose sets are removed after it."""
    made = Space(client, namespace)
    yield made
    made.clean()


def image_on_node(client: Recorder, part: str) -> str:
    nodes = client.get("/api/v1/nodes")["items"]
    names = [name for node in nodes for image in node["status"].get("images") or [] for name in image["names"]]
    found = [name for name in names if part in name]
    assert found, f"no node has the image of {part}"
    return found[0]


@pytest.fixture(scope="session")
def pause_image(client: Recorder) -> str:
    """An image that is on the node already: it runs for ever."""
    return image_on_node(client, "pause")


@pytest.fixture(scope="session")
def program_image(client: Recorder) -> str:
    """An image that is on the node already: it ends at once with -version, and fails with an unknown option."""
    return image_on_node(client, "coredns")
