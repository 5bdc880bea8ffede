# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs are run with their output in a log, and their failures are explained from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._images.engine import Engine, Runner

# Stands for buildah: writes what it was told to, then fails or not.
BUILDAH = """#!/bin/sh
echo "$@" >> "$CALLS"
for argument; do
    case "$argument" in oci-archive:*) rest=${argument#oci-archive:}; echo data > "${rest%%:*}";; esac
done
exit ${BUILDAH_FAILS:-0}
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "buildah"
    program.parent.mkdir()
    program.write_text(BUILDAH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def test_a_failure_shows_the_end_of_the_last_command_only(tmp_path: Path) -> None:
    runner = Runner(str(tmp_path))
    runner.logged("app", ["echo", "of the command before"])
    with pytest.raises(ImagesError, match=r"image app: sh failed with 3; .*/app.log ends with:\nwhy$"):
        runner.logged("app", ["sh", "-c", "echo why; exit 3"])


def test_a_log_is_of_one_run(tmp_path: Path) -> None:
    Runner(str(tmp_path)).logged("csi/app", ["echo", "first run"])
    second = Runner(str(tmp_path))
    second.logged("csi/app", ["echo", "one"])
    second.logged("csi/app", ["cat"], stdin="two")
    assert (tmp_path / "csi-app.log").read_text() == "+ echo one\none\n+ cat\ntwo"


def test_a_missing_program_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for run in (lambda r: r.output(["apt-get", "x"]), lambda r: r.logged("app", ["apt-get", "x"])):
        with pytest.raises(ImagesError, match="apt-get is not installed: install the package apt"):
            run(Runner(str(tmp_path)))


def test_an_archive_appears_complete_or_not_at_all(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(Runner(str(tmp_path)), None, None, None)
    archive = tmp_path / "archives" / "app-1.tar"
    archive.parent.mkdir()
    monkeypatch.setenv("BUILDAH_FAILS", "1")
    with pytest.raises(ImagesError, match="buildah failed with 1"):
        engine.save("app", "localhost/mlops/app:1", str(archive))
    assert list(archive.parent.iterdir()) == []
    monkeypatch.setenv("BUILDAH_FAILS", "0")
    engine.save("app", "localhost/mlops/app:1", str(archive))
    assert [path.name for path in archive.parent.iterdir()] == ["app-1.tar"]


def test_logins_are_files_and_builds_have_no_way_to_a_registry_of_images(tmp_path: Path, calls: Path) -> None:
    engine = Engine(Runner(str(tmp_path)), str(tmp_path / "storage"), "/auth.json", "/certs")
    engine.push("app", "localhost/mlops/app:1", "reg/mlops/app:1", "zstd")
    engine.build("app", "localhost/mlops/app:1", "/context", "/settings", ["--build-arg=A=1"])
    push, build = calls.read_text().splitlines()
    assert "--authfile /auth.json --cert-dir /certs" in push
    assert push.endswith("localhost/mlops/app:1 docker://reg/mlops/app:1")
    assert "--pull=never" in build
    assert "--volume /settings:/run/build:ro" in build
    assert "/auth.json" not in build
    assert all(f"--root {tmp_path}/storage --runroot /run/mlops-images/" in call for call in (push, build))
