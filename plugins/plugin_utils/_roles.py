# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the collection's roles say about their variables."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

ROLES = Path(__file__).resolve().parents[2] / "roles"


def defaults(role: str, loader: DataLoader) -> dict[str, t.Any]:
    """The role's defaults, as templates."""
    path = ROLES / role / "defaults" / "main.yml"
    found = loader.load_from_file(str(path), trusted_as_template=True) if path.exists() else {}
    return t.cast("dict[str, t.Any]", found or {})


def specs(roles: t.Iterable[str]) -> dict[str, dict[str, t.Any]]:
    """The content of the roles' argument_specs, by role."""
    # Nothing in them is a template or a secret: the plain reader is several times as fast as Ansible's.
    paths = {role: ROLES / role / "meta" / "argument_specs.yml" for role in roles}
    return {role: yaml_load(path.read_text(encoding="utf-8")) or {} for role, path in paths.items() if path.exists()}
