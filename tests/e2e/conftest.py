"""Fixtures of the tests on the running lab (make lab). They take what they need from .lab/lab.json."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import testinfra
from e2e.cluster import ROOT, Cluster

from ansible_collections.mlops.platform.plugins.module_utils._images import table
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from testinfra.host import Host

PULL_SECRET = "registry"
# They take longest: begun first, so that the lanes of pytest-xdist end together.
FIRST = {"test_databases", "test_services"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: item.path.stem in FIRST, reverse=True)


def read_lab() -> dict[str, t.Any]:
    """The record of the lab, as it is now."""
    record = ROOT / ".lab" / "lab.json"
    assert record.exists(), "the tests need the lab: run 'make up' first"
    return json.loads(record.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def lab() -> dict[str, t.Any]:
    return read_lab()


def processes(facts: dict[str, t.Any]) -> Records:
    """Records of the processes of a cluster."""
    return Records(Path(facts["state_dir"]) / "processes")


def cluster_of(facts: dict[str, t.Any]) -> Cluster:
    """The cluster of a row of the record, with the kubectl that it runs from."""
    record = processes(facts).read("kube-apiserver")
    assert record is not None
    return Cluster(facts, record.argv[0])


@pytest.fixture(scope="session")
def clusters(lab: dict[str, t.Any]) -> dict[str, Cluster]:
    return {name: cluster_of(facts) for name, facts in lab["clusters"].items()}


@pytest.fixture(scope="session")
def cluster(clusters: dict[str, Cluster]) -> Cluster:
    """The lab's first cluster."""
    return next(iter(clusters.values()))


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, with the registry's pull secret; it is removed with all that is in it."""
    name = f"test-{secrets.token_hex(4)}"
    make_namespace(cluster, name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=true")


def make_namespace(cluster: Cluster, name: str) -> None:
    """A namespace from which the lab's registry can be pulled."""
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("create", "secret", "generic", PULL_SECRET, f"--namespace={name}", *pull_secret_arguments())
    # Controllers make them: without the one there are no pods, without the other a client cannot trust the server.
    for made_later in ("serviceaccount/default", "configmap/kube-root-ca.crt"):
        cluster.kubectl("wait", "--for=create", made_later, f"--namespace={name}", "--timeout=60s")


def pull_secret_arguments() -> list[str]:
    login = Path(read_lab()["state_dir"]) / "registry" / "auth.json"
    return ["--type=kubernetes.io/dockerconfigjson", f"--from-file=.dockerconfigjson={login}"]


@pytest.fixture(scope="session")
def image(lab: dict[str, t.Any]) -> t.Callable[[str], str]:
    """Reference of one of the platform's images in the lab's registry."""
    return lambda name: table.reference(name, lab["registry"])


@pytest.fixture
def fresh_image(lab: dict[str, t.Any], image: t.Callable[[str], str], tmp_path: Path) -> str:
    """The notebooks' image under a tag that no node has seen."""
    state = Path(lab["state_dir"])
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    shutil.copy(state / "pki" / "ca.crt", certificates)
    source = image("notebook")
    target = f"{source}-{secrets.token_hex(4)}"
    options = [
        f"--authfile={state}/registry/auth.json",
        *(f"--{end}-cert-dir={certificates}" for end in ("src", "dest")),
    ]
    subprocess.run(["skopeo", "copy", "--quiet", *options, f"docker://{source}", f"docker://{target}"], check=True)
    return target


@pytest.fixture(scope="session")
def nfs01(lab: dict[str, t.Any]) -> Host:
    """The storage machine over SSH."""
    storage = Path(lab["state_dir"]) / "storage"
    return testinfra.get_host(
        f"ssh://root@{lab['storage']['address']}",
        ssh_identity_file=str(storage / "ssh_key"),
        ssh_extra_args=f"-o UserKnownHostsFile={storage}/known_hosts -o StrictHostKeyChecking=yes",
    )
