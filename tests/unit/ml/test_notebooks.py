# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples' notebooks have the steps of their Python files, and nothing typed in that is a secret or an address."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def converter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_notebooks", EXAMPLES / "notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NOTEBOOKS = converter()
PAIRS = NOTEBOOKS.pairs(EXAMPLES)


def test_all_examples_are_found() -> None:
    assert [source.stem for source, _notebook in PAIRS] == ["custom_v1", "custom_v2", "iris"]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].stem)
def test_the_notebook_is_the_one_of_the_file(pair: tuple[Path, Path]) -> None:
    source, notebook = (path.read_text(encoding="utf-8") for path in pair)
    assert notebook == NOTEBOOKS.notebook(source), "run python3 examples/notebooks.py"


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].stem)
def test_the_notebooks_code_compiles_and_has_no_address(pair: tuple[Path, Path]) -> None:
    cells = json.loads(pair[1].read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    compile(code, pair[1].name, "exec")
    for word in ("http://", "https://", "s3://", "password", "environ"):
        assert word not in code


def test_marks_make_cells() -> None:
    found = NOTEBOOKS.cells('"""Doc."""\n\n# %% [markdown]\n# # Title\n# Text\n\n# %%\nx = 1\n\n\ny = 2\n')
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in found] == [
        ("markdown", "# Title\nText"),
        ("code", "x = 1\n\n\ny = 2"),
    ]
