"""The script that makes the Python environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rendering import ROOT


def make_venv(folder: Path, python: str) -> Path:
    """Run the script as make does; the environment that .venv leads to."""
    environment = {**os.environ, "LAB_CACHE": str(folder / "cache"), "PYTHON": python}
    subprocess.run([str(ROOT / "lab/bin/venv")], cwd=folder, env=environment, check=True)
    return (folder / ".venv").resolve()


def test_run_by_its_own_python_the_environment_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "requirements-dev.txt").touch()
    made = make_venv(tmp_path, "python3")
    assert (made / "bin/python3").exists()
    for name in ("python", "python3"):
        assert make_venv(tmp_path, str(tmp_path / ".venv/bin" / name)) == made
    assert [path for path in made.parent.iterdir() if path.is_dir()] == [made]


def test_without_a_choice_the_distributions_python_is_taken(tmp_path: Path) -> None:
    found = "/usr/bin/python3"
    new = subprocess.run([found, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False).returncode == 0
    (tmp_path / "requirements-dev.txt").touch()
    made = make_venv(tmp_path, "")
    expected = Path(found if new else shutil.which("python3") or "")
    assert (made / "bin/python3").resolve() == expected.resolve()


def program(folder: Path, name: str, text: str) -> Path:
    """A program that stands before the machine's own of that name."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def refused(folder: Path, python: str) -> str:
    """What the script says when it gives up, with the programs of the test first."""
    (folder / "requirements-dev.txt").touch()
    environment = {**os.environ, "LAB_CACHE": str(folder / "cache"), "PYTHON": python}
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    result = subprocess.run(
        [str(ROOT / "lab/bin/venv")], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert not (folder / ".venv").exists()
    return result.stderr


def test_too_little_disk_is_told_before_anything_is_installed(tmp_path: Path) -> None:
    program(tmp_path, "df", "echo Filesystem 1024-blocks Used Available; echo tmpfs 409600 102400 307200")
    needed = yaml.safe_load((ROOT / "roles/lab_host/defaults/main.yml").read_text())["lab_host_cache_gib"]
    said = refused(tmp_path, "python3")
    assert f"300 MiB free below {tmp_path}/cache: the Python packages need 1 GiB there" in said
    assert f"and a new lab {needed} GiB" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages")
def test_a_missing_package_that_cannot_be_had_is_told_with_the_mirrors(tmp_path: Path) -> None:
    bare = program(
        tmp_path,
        "python",
        'case "$2" in *ensurepip*) exit 1;; *_base_executable*) echo "$0";; *) exec python3 "$@";; esac',
    )
    program(
        tmp_path,
        "apt-get",
        'case "$1" in update) exit 100;; indextargets) echo http://mirror.example.com/debian;; esac',
    )
    assert "python3-venv could not be installed from http://mirror.example.com/debian" in refused(tmp_path, str(bare))


def test_what_pip_could_not_have_is_told_with_its_index(tmp_path: Path) -> None:
    (tmp_path / "requirements-dev.txt").write_text("nothing==1 --hash=sha256:" + "0" * 64 + "\n")
    environment = {**os.environ, "LAB_CACHE": str(tmp_path / "cache"), "PYTHON": "python3"}
    environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    result = subprocess.run(
        [str(ROOT / "lab/bin/venv")], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "could not be had from the package index (http://127.0.0.1:9/simple)" in result.stderr
    assert not (tmp_path / ".venv").exists()
