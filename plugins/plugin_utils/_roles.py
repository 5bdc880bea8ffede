# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the collection's roles say about their variables."""

from __future__ import annotations

import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

ROLES = Path(__file__).resolve().parents[2] / "roles"


def defaults(role: str, loader: DataLoader) -> dict[str, t.Any]:
    """The role's defaults, as templates."""
    path = ROLES / role / "defaults" / "main.yml"
    found = loader.load_from_file(str(path), trusted_as_template=True) if path.exists() else {}
    return t.cast("dict[str, t.Any]", found or {})


def options(role: str, loader: DataLoader) -> set[str]:
    """The names of all variables in the role's argument_specs."""
    path = ROLES / role / "meta" / "argument_specs.yml"
    specs = (loader.load_from_file(str(path)) or {}).get("argument_specs", {}) if path.exists() else {}
    return {name for entry in specs.values() for name in entry.get("options") or {}}
