# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of the installed system. mmdebstrap is replaced to make it fail; the lab's tests use the real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, rootfs
from ansible_collections.mlops.platform.plugins.module_utils._lab.rootfs import Apt, Recipe

RECIPE = Recipe("bookworm", ("systemd-sysv", "python3"))
APT = Apt("deb http://mirror bookworm main\n", "", "/keyring")


@pytest.fixture
def mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name on PATH; it writes the arguments that matter into its output."""
    program = tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    script(program, 'shift 4; cat "$3" > "$2"; touch "$TMPDIR/left over"')
    return program


def script(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh -e\n{text}\n")
    program.chmod(0o755)


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "rootfs").iterdir())


def test_the_key_is_that_of_the_content() -> None:
    assert replace(RECIPE, packages=("python3", "systemd-sysv")).key() == RECIPE.key()
    others = [replace(RECIPE, suite="trixie"), replace(RECIPE, packages=("python3",))]
    assert len({RECIPE.key(), *(other.key() for other in others)}) == 3


def test_it_is_built_once(mmdebstrap: Path, tmp_path: Path) -> None:
    assert rootfs.build(RECIPE, APT, tmp_path)
    assert RECIPE.archive(tmp_path).read_text() == APT.sources
    assert left(tmp_path) == [f"bookworm-{RECIPE.key()}.tar"]
    mmdebstrap.unlink()
    assert not rootfs.build(RECIPE, APT, tmp_path)


def test_a_failure_shows_its_last_lines_and_leaves_nothing(mmdebstrap: Path, tmp_path: Path) -> None:
    script(mmdebstrap, 'shift 4; echo half > "$2"; echo E: no route to the mirror >&2; exit 25')
    with pytest.raises(LabError, match=r"(?s)bookworm cannot be installed.*status 25.*no route to the mirror"):
        rootfs.build(RECIPE, APT, tmp_path)
    assert left(tmp_path) == []


def test_what_a_killed_run_left_is_removed(mmdebstrap: Path, tmp_path: Path) -> None:
    work = tmp_path / "rootfs" / f".bookworm-{RECIPE.key()}"
    work.mkdir(parents=True)
    (work / "root.tar").write_text("half")
    assert rootfs.build(RECIPE, APT, tmp_path)
    assert RECIPE.archive(tmp_path).read_text() == APT.sources
    assert not work.exists()


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="mmdebstrap is missing; role lab_host installs it"):
        rootfs.build(RECIPE, APT, tmp_path)
