# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make each example's notebook from its Python file: a line `# %%` begins a cell, `# %% [markdown]` one of text.

usage: python3 examples/notebooks.py
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
MARK = re.compile(r"^# %%(?P<text> \[markdown\])?\n", re.MULTILINE)


def cells(source: str) -> list[dict[str, t.Any]]:
    """The cells; what stands before the first mark is the file's own."""
    marks = list(MARK.finditer(source))
    ends = [mark.start() for mark in marks[1:]] + [len(source)]
    return [
        _cell(number, bool(mark["text"]), source[mark.end() : end].strip("\n"))
        for number, (mark, end) in enumerate(zip(marks, ends))
    ]


def _cell(number: int, is_text: bool, source: str) -> dict[str, t.Any]:
    found = {"cell_type": "markdown" if is_text else "code", "id": f"cell-{number}", "metadata": {}}
    if is_text:
        source = re.sub(r"^# ?", "", source, flags=re.MULTILINE)
    else:
        source = re.sub(r"  # noqa.*", "", source)  # the linter's, for files
        found |= {"execution_count": None, "outputs": []}
    return {**found, "source": source.splitlines(keepends=True)}


def notebook(source: str) -> str:
    """The notebook of a Python file."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {"cells": cells(source), "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def pairs(folder: Path = EXAMPLES) -> list[tuple[Path, Path]]:
    """Each example's Python file and notebook: both have the name of the folder."""
    return [
        (path, path.with_suffix(".ipynb")) for path in sorted(folder.glob("*/*.py")) if path.stem == path.parent.name
    ]


def main() -> None:
    """Write the notebooks."""
    for source, target in pairs():
        target.write_text(notebook(source.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
