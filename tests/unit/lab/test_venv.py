"""The script that makes the Python environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

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
