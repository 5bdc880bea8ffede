# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The versions of the programs in the platform's images, from the files that pin them. Used on the controller."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, environment, table

COMMIT = re.compile(r"^v0\.0\.0-(\d{4})(\d\d)(\d\d)\d{6}-[0-9a-f]{12}$")


def versions(base: str = "", refresh: str = "", root: str = table.ROOT) -> dict[str, dict[str, str]]:
    """Tag and version of each image of the platform, as this checkout describes them."""
    rows = table.load(root)
    names = table.names("platform", root)
    tags = table.tags(names, base, refresh, root)
    return {name: {"tag": tags[name], "version": version_of(name, rows, root)} for name in names}


def version_of(name: str, rows: t.Mapping[str, table.Spec], root: str = table.ROOT) -> str:
    """The version of the program that an image runs; empty where it runs none."""
    said = rows[name].get("version", "")
    if isinstance(said, str):
        return said
    if "module" in said:
        return of_module(text(root, name, "go.mod"), said["module"])
    current = name
    while current in rows:
        found = environment.packages(text(root, current, "requirements.txt")).get(said["package"])
        if found:
            return found
        current = rows[current].get("bases", {}).get("BASE", "")
    raise ImagesError(
        f"image {name}: no lock file pins {said['package']}, which images/images.yml names as its version"
    )


def text(root: str, name: str, file: str) -> str:
    """A file of an image's folder; empty when there is none."""
    path = os.path.join(root, name, file)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def of_module(lock: str, path: str) -> str:
    """The version of a Go module by go.mod; of one that is pinned by its commit the commit's day."""
    found = re.search(rf"^\s*{re.escape(path)} (v\S+)", lock, re.MULTILINE)
    if not found:
        raise ImagesError(f"go.mod does not have {path}, which images/images.yml names as a version")
    commit = COMMIT.match(found[1])
    return "-".join(commit.groups()) if commit else found[1].removeprefix("v")
