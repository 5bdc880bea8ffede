# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, machine_root
from ansible_collections.mlops.platform.plugins.modules import lab_machine

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of a small tree."""
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    (tmp_path / "tree" / "etc" / "hostname").write_text("template\n")
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as stream:
        stream.add(tmp_path / "tree", arcname=".")
    return path


def test_a_root_is_whole_or_absent(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "machine" / "root-a"
    half = tmp_path / "machine" / "root-a.part"
    half.mkdir(parents=True)
    (half / "junk").write_text("")
    assert machine_root.stale(root.parent, root) == [str(half)]
    machine_root.unpack(archive, root)
    assert (root / "etc" / "hostname").read_text() == "template\n"
    assert not (root / "junk").exists()
    assert machine_root.stale(root.parent, root) == []


def test_a_damaged_archive_is_named_and_makes_no_root(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:700])
    with pytest.raises(LabError, match=r"root\.tar cannot be unpacked"):
        machine_root.unpack(archive, tmp_path / "root-a")
    assert not (tmp_path / "root-a").exists()


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    wanted = {"etc/hostname": "nfs01\n", "etc/environment": "", "root/.ssh/authorized_keys": "key\n"}
    changes = machine_root.differing(tmp_path, wanted)
    assert changes == {name: ("", text) for name, text in wanted.items()}
    machine_root.write(tmp_path, changes)
    assert machine_root.differing(tmp_path, wanted) == {}
    (tmp_path / "etc" / "hostname").write_text("other\n")
    assert machine_root.differing(tmp_path, wanted) == {"etc/hostname": ("other\n", "nfs01\n")}
    assert (tmp_path / "root/.ssh").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "root/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """The installed system's links point to places on this machine."""
    outside = tmp_path / "outside"
    outside.write_text("mine\n")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "resolv.conf").symlink_to(outside)
    machine_root.write(root, machine_root.differing(root, {"etc/resolv.conf": "nameserver 10.0.0.53\n"}))
    assert outside.read_text() == "mine\n"
    assert (root / "etc" / "resolv.conf").read_text() == "nameserver 10.0.0.53\n"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_a_key_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "key.new").write_text("of a killed run")
    first = machine_root.key_pair(tmp_path / "key", "lab")
    assert "PRIVATE KEY" in first[0]
    assert first[1].startswith("ssh-ed25519 ")
    assert machine_root.key_pair(tmp_path / "key", "lab") == first
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.pub"]


def test_certificates_beyond_those_of_the_system(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_text(CERTIFICATE)
    assert list(machine_root.trusted(tmp_path, str(bundle)).values()) == [CERTIFICATE]
    (tmp_path / machine_root.MOZILLA).mkdir(parents=True)
    (tmp_path / machine_root.MOZILLA / "a.crt").write_text(CERTIFICATE)
    assert machine_root.trusted(tmp_path, str(bundle)) == {}
    assert machine_root.trusted(tmp_path, None) == {}
    with pytest.raises(LabError, match="ca_file: /none does not exist"):
        machine_root.trusted(tmp_path, "/none")


def test_a_bundle_that_was_not_finished_is_made_again(tmp_path: Path) -> None:
    assert not machine_root.distrusts(tmp_path, {})
    name = f"{machine_root.machine_files.CERTIFICATES}/000.crt"
    machine_root.write(tmp_path, {name: ("", CERTIFICATE)})
    assert machine_root.distrusts(tmp_path, {name: CERTIFICATE})


@pytest.mark.parametrize("name", ["etc/ssh/ssh_host_ed25519_key", "etc/environment", "etc/apt/apt.conf.d/90lab-host"])
def test_a_secret_is_not_shown(name: str) -> None:
    shown = lab_machine.diff_of(Path("/root-a"), name, "OLD", "NEW")
    assert "OLD" not in str(shown)
    assert "NEW" not in str(shown)
    assert lab_machine.diff_of(Path("/root-a"), "etc/hostname", "a", "b")["after"] == "b"
