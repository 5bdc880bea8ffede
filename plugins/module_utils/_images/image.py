# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""One image as it is described: what makes it, its tag, and the order in which a list of them is built."""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, containerfile
from ansible_collections.mlops.platform.plugins.module_utils._images.context import (
    ContextFile,
    context_files,
    manifest,
)

# Raise it when the way of building changes what comes out of the same files.
FORMAT = 1
TAG_LENGTH = 16
NAME = re.compile(r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$")


@dataclass(frozen=True)
class Image:
    """A description; ``bases`` maps build arguments to images of the list or to references outside of it."""

    name: str
    context: str | None = None
    bootstrap: str | None = None
    bases: t.Mapping[str, str] = field(default_factory=dict)
    build_args: t.Mapping[str, str] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    files: tuple[ContextFile, ...] = ()
    user: str | None = None

    def all_files(self) -> list[ContextFile]:
        """Everything that is laid out for the build."""
        return context_files(self.context, self.files)

    def containerfile(self) -> str:
        """The text of the Containerfile; it may be one of the files that are given one by one."""
        for file in self.all_files():
            if file.name == "Containerfile":
                if file.path is None:
                    return file.content or ""
                with open(file.path, encoding="utf-8") as stream:
                    return stream.read()
        raise ImagesError(f"image {self.name}: {self.context} has no Containerfile")


def image_from(spec: t.Mapping[str, t.Any]) -> Image:
    """An image from one element of the module's list."""
    files = tuple(ContextFile(f["name"], f.get("path"), f.get("content")) for f in spec.get("files") or ())
    texts = {key: dict(spec.get(key) or {}) for key in ("bases", "build_args", "labels")}
    image = Image(spec["name"], spec.get("context"), spec.get("bootstrap"), files=files, user=spec.get("user"), **texts)
    check(image)
    return image


def check(image: Image) -> None:
    """Refuse a description that cannot be built, or whose tag could not say what is in the image."""
    where = f"image {image.name}"
    if not NAME.match(image.name):
        raise ImagesError(f"images: {image.name!r} is not an image name: use a-z, 0-9 and single . _ - between them")
    if bool(image.bootstrap) == bool(image.context):
        raise ImagesError(f"{where}: give either context or bootstrap")
    if image.context is None:
        return
    if not os.path.isdir(image.context):
        raise ImagesError(f"{where}: the context {image.context} is not a folder")
    text = image.containerfile()
    containerfile.check(text, image.bases, f"{where}: the Containerfile")
    runs_as = containerfile.user(text)
    if image.user is not None and runs_as != image.user:
        raise ImagesError(f"{where}: its Containerfile ends with USER {runs_as}, not {image.user} as described")


def in_order(images: t.Sequence[Image]) -> list[Image]:
    """The images such that each comes after the ones it is built on."""
    by_name = {image.name: image for image in images}
    if len(by_name) != len(images):
        raise ImagesError("images: two of them have the same name")
    done: dict[str, Image] = {}

    def visit(image: Image, path: tuple[str, ...]) -> None:
        if image.name in path:
            raise ImagesError(f"images: {' -> '.join((*path, image.name))} are built on one another")
        for base in image.bases.values():
            if base in by_name and base not in done:
                visit(by_name[base], (*path, image.name))
        done[image.name] = image

    for image in images:
        if image.name not in done:
            visit(image, ())
    return list(done.values())


def tag_of(image: Image, tags: t.Mapping[str, str], refresh: str) -> str:
    """The tag: a hash of everything that makes the image, its bases' tags among it."""
    made_of = {
        "format": FORMAT,
        "refresh": refresh,
        "bootstrap": image.bootstrap,
        "bases": {argument: tags.get(base, base) for argument, base in image.bases.items()},
        "build_args": dict(image.build_args),
        "labels": dict(image.labels),
        "files": manifest(image.all_files()),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:TAG_LENGTH]


def tags_of(images: t.Sequence[Image], refresh: str = "") -> dict[str, str]:
    """The tag of each image of an ordered list."""
    tags: dict[str, str] = {}
    for image in images:
        tags[image.name] = tag_of(image, tags, refresh)
    return tags


def with_bases(images: t.Sequence[Image], names: t.Container[str]) -> list[Image]:
    """Those of an ordered list that are named, and what they are built on."""
    needed: set[str] = set()
    for image in reversed(images):
        if image.name in names or image.name in needed:
            needed |= {image.name, *image.bases.values()}
    return [image for image in images if image.name in needed]
