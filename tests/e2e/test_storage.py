"""What the roles left on the storage server, seen over SSH: configuration, exports, folders, services, ports."""

from __future__ import annotations

import json
import typing as t
from pathlib import PurePath

import pytest
import yaml
from e2e.cluster import ROOT, Cluster

from ansible_collections.mlops.platform.plugins.module_utils._nfs.dropin import MARK

if t.TYPE_CHECKING:
    from testinfra.host import Host

pytestmark = pytest.mark.platform

NFS_ROOT = "/bitnami"
# The file of the export that the role nfs_server looks at its work with.
SERVERS_OWN = "nfs-server-check"
FOLDERS = ("/etc/ganesha/exports.d", "/etc/exports.d")
DEFAULTS = yaml.safe_load((ROOT / "roles" / "defaults" / "defaults" / "main.yml").read_text(encoding="utf-8"))
COMPONENTS = {name: row for name, row in DEFAULTS["mlops_components"].items() if "folder" in row}
SERVICES = {"nfs-ganesha.service", "nfs-server.service"}


@pytest.fixture(scope="module")
def drop_ins(nfs01: Host, clusters: dict[str, Cluster]) -> list[str]:
    """Paths of the files that hold the platform's exports; those of other tests come and go."""
    paths = t.cast("list[str]", nfs01.run(f"find {' '.join(FOLDERS)} -type f").stdout.splitlines())
    return [path for path in paths if PurePath(path).stem in {*clusters, SERVERS_OWN}]


def test_a_cluster_has_one_file_of_exports_that_root_alone_writes(
    nfs01: Host, cluster: Cluster, drop_ins: list[str]
) -> None:
    assert sum(path.rpartition("/")[2].startswith(cluster.name) for path in drop_ins) == 1
    for path in drop_ins:
        file = nfs01.file(path)
        assert (file.user, file.group, file.mode) == ("root", "root", 0o644), path
        folder = nfs01.file(path.rpartition("/")[0])
        assert (folder.user, folder.group, folder.mode) == ("root", "root", 0o755), path


def test_a_file_of_exports_says_who_made_it_and_for_whom(nfs01: Host, cluster: Cluster, drop_ins: list[str]) -> None:
    headers = {}
    for path in drop_ins:
        first, second = nfs01.file(path).content_string.splitlines()[:2]
        assert first == "# Managed by Ansible: changes made by hand are lost."
        header = json.loads(second.removeprefix(MARK))
        headers[header["name"]] = header
    assert headers[cluster.name]["identity"] == cluster.facts["server"]


def test_the_configuration_of_the_server_is_root_s(nfs01: Host) -> None:
    present = [path for path in ("/etc/ganesha/ganesha.conf", "/etc/nfs.conf.d/mlops.conf") if nfs01.file(path).exists]
    assert present
    for path in present:
        file = nfs01.file(path)
        assert (file.user, file.group, file.mode) == ("root", "root", 0o644)
        assert "ansible" in file.content_string.splitlines()[1].lower()


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_level_of_a_folder_has_its_owner_and_mode(nfs01: Host, cluster: Cluster, name: str) -> None:
    row = COMPONENTS[name]
    above = f"{NFS_ROOT}/deploy-Mlops-{cluster.name}"
    for path in (NFS_ROOT, above):
        level = nfs01.file(path)
        assert (level.uid, level.gid, level.mode) == (0, 0, 0o711), f"{path}: others pass through and see no names"
    own = nfs01.file(f"{above}/{row['folder']}")
    assert own.is_directory
    assert (own.uid, own.gid, own.mode) == (row["uid"], row["gid"], int(row["mode"], 8))


@pytest.mark.parametrize("name", ["postgresql", "redis", "minio", "ray"])
def test_the_driver_made_the_volume_for_the_component(nfs01: Host, cluster: Cluster, name: str) -> None:
    row = COMPONENTS[name]
    volume = nfs01.file(f"{NFS_ROOT}/deploy-Mlops-{cluster.name}/{row['folder']}/{row['subdir']}")
    assert volume.is_directory
    assert (volume.uid, volume.gid) == (row["uid"], row["gid"])


def test_one_server_runs_and_starts_with_the_machine(nfs01: Host) -> None:
    running = [name for name in SERVICES if nfs01.service(name).is_running]
    assert len(running) == 1
    assert nfs01.service(running[0]).is_enabled


@pytest.mark.parametrize("unit", ["rpcbind.service", "rpcbind.socket"])
def test_rpcbind_is_masked_or_not_there(nfs01: Host, unit: str) -> None:
    assert nfs01.run(f"systemctl is-enabled {unit}").stdout.strip() in ("masked", "not-found", "")
    assert not nfs01.service(unit).is_running


def test_only_nfs_and_ssh_listen(nfs01: Host) -> None:
    tcp = nfs01.check_output("ss --no-header --listening --numeric --tcp").splitlines()
    assert {line.split()[3].rpartition(":")[2] for line in tcp} == {"2049", "22"}


def test_nothing_is_exported_to_everybody(nfs01: Host, cluster: Cluster, drop_ins: list[str]) -> None:
    text = "\n".join(nfs01.file(path).content_string for path in drop_ins)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    clients = [line for line in lines if "Clients" in line or "(" in line]
    assert any(cluster.facts["address"] in line for line in clients)
    for line in clients:
        assert not any(everybody in line for everybody in ("*", "0.0.0.0", "::/0")), line
