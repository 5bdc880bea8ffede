# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The text of spec.serveConfigV2: which applications a RayService shall run. It is written as JSON, which is YAML."""

from __future__ import annotations

import json
import typing as t

from . import RayError

Entry = dict[str, t.Any]
Config = dict[str, t.Any]


def parse(text: str) -> Config:
    """The configuration that a text holds."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = _parse_yaml(text)
    if not isinstance(found, dict) or not isinstance(found.get("applications") or [], list):
        raise RayError(
            "spec.serveConfigV2 of the RayService is not a Serve configuration: it has no list 'applications'"
        )
    return found


def of(service: t.Mapping[str, t.Any]) -> Config:
    """The configuration of a RayService."""
    return parse((service.get("spec") or {}).get("serveConfigV2") or "")


def _parse_yaml(text: str) -> t.Any:
    """Somebody wrote it by hand."""
    try:
        import yaml
    except ImportError as error:
        raise RayError("spec.serveConfigV2 of the RayService is not JSON, and PyYAML is missing to read it") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RayError(f"spec.serveConfigV2 of the RayService is neither JSON nor YAML: {error}") from error


def dump(config: Config) -> str:
    """The text of a configuration."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def entries(config: Config) -> list[Entry]:
    """All applications, in their order."""
    return list(config.get("applications") or [])


def find(config: Config, name: str) -> Entry | None:
    """The application of that name."""
    return next((entry for entry in entries(config) if entry.get("name") == name), None)


def with_entry(config: Config, name: str, entry: Entry | None) -> Config:
    """The configuration with this one application as given, or without it; all others stay as they are."""
    others = entries(config)
    names = [other.get("name") for other in others]
    if entry is None:
        changed = [other for other in others if other.get("name") != name]
    elif name in names:
        changed = [entry if other.get("name") == name else other for other in others]
    else:
        changed = [*others, entry]
    return {**config, "applications": changed}
