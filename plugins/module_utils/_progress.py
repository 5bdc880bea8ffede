# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What a long task of this machine is working on: modules say it, the callback step_times shows it."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "MLOPS_PROGRESS"


def say(what: str) -> None:
    """Tell what is being worked on, in a word or two; where nobody shows it, nothing happens."""
    path = Path(os.environ.get(VARIABLE, ""))
    # A module on another machine, or of another user, has the variable at most.
    if path.is_file() and os.access(path, os.W_OK):
        path.write_text(what, encoding="utf-8")


def said(path: Path) -> str:
    """What was told last, or nothing."""
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
