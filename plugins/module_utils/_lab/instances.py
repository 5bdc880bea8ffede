# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The records of this machine's lab instances, and the subnet of one that is to come."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import files, layout

Record = dict[str, t.Any]
FOLDER = "/var/lib/mlops-lab"


def path_of(folder: str, name: str) -> str:
    """The file of an instance's record."""
    return os.path.join(folder, f"{name}.json")


def read(path: str) -> Record | None:
    """A record, or None where there is none."""
    content = files.read(path)
    return None if content is None else t.cast("Record", json.loads(content))


def others(folder: str, name: str) -> dict[str, Record]:
    """The records of all other instances, by name: one that does not run just now has its subnet all the same."""
    found = {path.stem: read(str(path)) for path in sorted(Path(folder).glob("*.json")) if path.stem != name}
    return {other: record for other, record in found.items() if record}


def subnet(given: str | None, record: Record | None, name: str, there: t.Mapping[str, Record]) -> str:
    """The subnet that is given, or that of the record, or one by the name that no other instance has."""
    return given or (record or {}).get("subnet") or layout.default_subnet(name, {r["subnet"] for r in there.values()})
