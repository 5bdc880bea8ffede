# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules for the storage server work with its Python, which may be 3.9 and has nothing but its library."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import ansible
import pytest
from rendering import ROOT


def old_python() -> str:
    """A Python 3.9 that starts, on the PATH or of pyenv; empty where there is none."""
    candidates = [shutil.which("python3.9"), *map(str, Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))]
    works = [one for one in candidates if one and subprocess.run([one, "-c", ""], capture_output=True).returncode == 0]
    return works[0] if works else ""


OLD = old_python()
MODULES = ("nfs_exports", "nfs_exports_info", "nfs_probe", "nfs_server_info")
IMPORTS = """
import importlib, pathlib, sys
here = "ansible_collections.mlops.platform.plugins"
sys.path[:0] = [{collections!r}]
names = [f"{{here}}.module_utils._nfs.{{path.stem}}" for path in pathlib.Path({utils!r}).glob("*.py")]
for name in [*names, *(f"{{here}}.modules.{{name}}" for name in {modules!r})]:
    importlib.import_module(name)
print(sys.version_info[:2], len(names))
"""


@pytest.mark.skipif(not OLD, reason="this machine has no python3.9 that starts")
def test_they_can_be_imported_by_python_39_without_other_packages(tmp_path: Path) -> None:
    # What Ansible sends along is there, and nothing else of this environment.
    (tmp_path / "ansible").symlink_to(ansible.__path__[0])
    text = IMPORTS.format(
        collections=str(ROOT / "collections"), modules=MODULES, utils=str(ROOT / "plugins" / "module_utils" / "_nfs")
    )  # fmt: skip
    command = [OLD, "-s", "-c", text]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("(3, 9) ")
