# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The table of the platform's images, images/images.yml, as the list that the module builds. Used on the controller."""

from __future__ import annotations

import os
import typing as t

import yaml

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, environment
from ansible_collections.mlops.platform.plugins.module_utils._images.context import folder_files
from ansible_collections.mlops.platform.plugins.module_utils._images.image import (
    image_from,
    in_order,
    tags_of,
    with_bases,
)

COLLECTION = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..")
ROOT = os.path.join(COLLECTION, "images")
GROUPS = ("builder", "platform", "lab")
# The image that a base of the user's own takes the place of.
BOOTSTRAPPED = "debian"
# Templates ask often; the C loader is ten times faster and as safe.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Spec = dict[str, t.Any]


def load(root: str = ROOT) -> dict[str, Spec]:
    """The rows of the table by image name."""
    with open(os.path.join(root, "images.yml"), encoding="utf-8") as stream:
        return yaml.load(stream, Loader=LOADER)["images"]  # noqa: S506


def _about(name: str, row: Spec, root: str) -> Spec:
    """The locked Python environment that a row's image holds."""
    with open(os.path.join(root, name, "requirements.txt"), encoding="utf-8") as stream:
        return environment.about(stream.read(), row["python"], row.get("serves", ()))


def environment_of(name: str, root: str = ROOT) -> Spec:
    """The locked Python environment of an image or of what it is built on."""
    table = load(root)
    current: str | None = name
    while current in table:
        if "python" in table[current]:
            return _about(current, table[current], root)
        current = table[current].get("bases", {}).get("BASE")
    raise ImagesError(f"image {name} has no locked Python environment")


def _binaries(name: str, row: Spec, binaries: t.Mapping[str, str]) -> list[Spec]:
    absent = [binary for binary in row.get("binaries", ()) if binary not in binaries]
    if absent:
        raise ImagesError(f"image {name} needs the binaries {', '.join(absent)}: give their paths")
    return [{"name": binary, "path": binaries[binary]} for binary in row.get("binaries", ())]


def _shared(row: Spec) -> list[Spec]:
    """Folders of the collection that are copied into an image: one code, used here and there."""
    found = []
    for place, folder in row.get("shared", {}).items():
        files = folder_files(os.path.realpath(os.path.join(COLLECTION, folder)))
        found += [{"name": f"{place}/{file.name}", "path": file.path} for file in files]
    return found


def spec(name: str, row: Spec, base: str, binaries: t.Mapping[str, str], root: str) -> Spec:
    """One element of the module's list."""
    if "bootstrap" in row:
        return {"name": name, "bootstrap": row["bootstrap"]}
    folder = os.path.realpath(os.path.join(root, name))
    python = _about(name, row, root) if "python" in row else None
    files = [{"name": "environment.json", "content": environment.document(python)}] if python else []
    bases = {arg: base if base and of == BOOTSTRAPPED else of for arg, of in row.get("bases", {}).items()}
    return {
        "name": name,
        "context": folder,
        "bases": bases,
        "build_args": {key: str(value) for key, value in row.get("build_args", {}).items()},
        "labels": environment.labels(python) if python else {},
        "files": [*files, *_shared(row), *_binaries(name, row, binaries)],
        "user": row.get("user"),
    }


def names(group: str, root: str = ROOT) -> list[str]:
    """The images of a group."""
    if group not in GROUPS:
        raise ImagesError(f"there is no group of images {group!r}; the groups are {', '.join(GROUPS)}")
    return [name for name, row in load(root).items() if row["group"] == group]


def specs(
    wanted: t.Sequence[str], base: str = "", binaries: t.Mapping[str, str] | None = None, root: str = ROOT
) -> list[Spec]:
    """The module's list for some images and everything that they are built on."""
    table = load(root)
    unknown = sorted(set(wanted) - set(table))
    if unknown:
        raise ImagesError(f"there is no image {', '.join(unknown)}; known are {', '.join(sorted(table))}")
    if base:
        table.pop(BOOTSTRAPPED)
    needed: list[str] = []
    queue = list(wanted)
    while queue:
        name = queue.pop()
        if name in table and name not in needed:
            needed.append(name)
            queue += table[name].get("bases", {}).values()
    return [spec(name, table[name], base, binaries or {}, root) for name in table if name in needed]


def reference(name: str, registry: str, base: str = "", refresh: str = "", root: str = ROOT) -> str:
    """The full name of an image of this checkout, computed without building it."""
    if not registry:
        raise ImagesError(
            "images_registry is empty: name the registry of the platform's images, as host[:port][/project]"
        )
    return f"{registry}/{name}:{tags([name], base, refresh, root)[name]}"


def tags(wanted: t.Sequence[str], base: str = "", refresh: str = "", root: str = ROOT) -> dict[str, str]:
    """The tags of images of this checkout and of those they stand on."""
    images = in_order([image_from(one) for one in specs(wanted, base, root=root)])
    return tags_of(with_bases(images, wanted), refresh)
