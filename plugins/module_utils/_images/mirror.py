# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Images that others publish, copied into the platform's registry digest for digest."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._images.registry import RegistryClient, repository

DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
SOURCE = re.compile(
    r"^(?P<host>[A-Za-z0-9.-]+(?::[0-9]+)?)/(?P<repository>[^:@]+):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]*)$"
)


@dataclass(frozen=True)
class Mirrored:
    """One image: where it is published, and its name and tag below our registry."""

    source_host: str
    source_repository: str
    tag: str
    name: str
    digest: str | None

    @property
    def source(self) -> str:
        """As it was given."""
        return f"{self.source_host}/{self.source_repository}:{self.tag}"


def mirrored_from(spec: t.Mapping[str, t.Any]) -> Mirrored:
    """An image from one element of the module's list."""
    match = SOURCE.match(spec["source"])
    if not match:
        raise ImagesError(f"images: the source {spec['source']!r} is not host/repository:tag")
    if spec.get("digest") and not DIGEST.match(spec["digest"]):
        raise ImagesError(f"images: the digest {spec['digest']!r} of {spec['source']} is not sha256: and 64 hex digits")
    name = spec.get("name") or match["repository"].rpartition("/")[2]
    return Mirrored(match["host"], match["repository"], match["tag"], name, spec.get("digest"))


@dataclass(frozen=True)
class Copy:
    """What is there, what has to be there, and whether they differ."""

    image: Mirrored
    present: str | None
    wanted: str

    @property
    def needed(self) -> bool:
        """Whether the registry lacks exactly this image."""
        return self.present != self.wanted

    def result(self, address: str) -> dict[str, t.Any]:
        """What the module returns for it."""
        target = f"{address}/{self.image.name}"
        return {
            "name": self.image.name,
            "source": self.image.source,
            "digest": self.wanted,
            "reference": f"{target}:{self.image.tag}",
            "pinned": f"{target}@{self.wanted}",
            "changed": self.needed,
        }


def plan(
    images: t.Sequence[Mirrored], address: str, target: RegistryClient, source: t.Callable[[str], RegistryClient]
) -> list[Copy]:
    """Compare. The source is only asked for an image that is neither pinned nor present: a tag is not followed."""
    copies = []
    for image in images:
        present = target.digest(repository(address, image.name), image.tag)
        wanted = image.digest or present or source(image.source_host).digest(image.source_repository, image.tag)
        if wanted is None:
            raise ImagesError(f"images: {image.source} does not exist in its registry")
        copies.append(Copy(image, present, wanted))
    return copies


def command(copy: Copy, address: str, source_options: t.Sequence[str], target_options: t.Sequence[str]) -> list[str]:
    """The copy of exactly that digest, with all its platforms."""
    source = f"docker://{copy.image.source_host}/{copy.image.source_repository}@{copy.wanted}"
    target = f"docker://{address}/{copy.image.name}:{copy.image.tag}"
    return ["skopeo", "copy", "--all", "--preserve-digests", *source_options, *target_options, source, target]
