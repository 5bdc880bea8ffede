# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Which images are missing where, and the steps that bring them there."""

from __future__ import annotations

import os
import tempfile
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mlops.platform.plugins.module_utils import _progress as progress
from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, apt, build_settings, context
from ansible_collections.mlops.platform.plugins.module_utils._images.engine import Engine
from ansible_collections.mlops.platform.plugins.module_utils._images.image import Image, tag_of
from ansible_collections.mlops.platform.plugins.module_utils._images.registry import RegistryClient, repository

LOCAL = "localhost/mlops"
ROOTFS = "rootfs.tar"


@dataclass
class Wanted:
    """Where one image has to be, and where it is not yet."""

    image: Image
    tag: str
    archive: str | None = None
    reference: str | None = None
    missing: tuple[str, ...] = ()
    steps: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def local(self) -> str:
        """Its name in the storage of this machine, and inside its archive."""
        return f"{LOCAL}/{self.image.name}:{self.tag}"

    def result(self) -> dict[str, t.Any]:
        """What the module returns for it."""
        return {
            "name": self.image.name,
            "tag": self.tag,
            "reference": self.reference or self.local,
            "archive": self.archive,
            "changed": bool(self.missing),
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class Places:
    """The cache folder and the registry that images have to reach; either may be absent."""

    archive_dir: str | None = None
    address: str | None = None
    registry: RegistryClient | None = None

    def archive(self, name: str, tag: str) -> str | None:
        """The archive of an image."""
        return os.path.join(self.archive_dir, f"{name}-{tag}.tar") if self.archive_dir else None

    def reference(self, name: str, tag: str) -> str | None:
        """The name that pods use."""
        return f"{self.address}/{name}:{tag}" if self.address else None

    def missing(self, name: str, tag: str) -> tuple[str, ...]:
        """Which of the places do not have the image."""
        archive = self.archive(name, tag)
        places = ["archive"] if archive and not os.path.exists(archive) else []
        if self.address and self.registry and self.registry.digest(repository(self.address, name), tag) is None:
            places.append("registry")
        return tuple(places)


def survey(images: t.Sequence[Image], tags: t.Mapping[str, str], places: Places) -> list[Wanted]:
    """Each image with the places that lack it."""
    wanted = []
    for image in images:
        name, tag = image.name, tags[image.name]
        missing = places.missing(name, tag)
        wanted.append(Wanted(image, tag, places.archive(name, tag), places.reference(name, tag), missing))
    return wanted


class Builder:
    """Brings images into the storage, by the cheapest way, and from there to where they are missing."""

    def __init__(
        self,
        engine: Engine,
        known: t.Mapping[str, Wanted],
        settings: build_settings.BuildSettings,
        work_dir: str,
        compression: str = "gzip",
        refresh: str = "",
    ) -> None:
        self._engine = engine
        self._known = known
        self._settings = settings
        self._work_dir = work_dir
        self._compression = compression
        self._refresh = refresh
        self._settings_dir: str | None = None

    def settings_dir(self) -> str:
        """The folder with the build's network settings, made when the first build needs it."""
        if self._settings_dir is None:
            self._settings_dir = tempfile.mkdtemp(dir=self._work_dir)
            build_settings.write(self._settings, self._settings_dir)
        return self._settings_dir

    def deliver(self, wanted: Wanted) -> None:
        """Bring one image to every place that lacks it."""
        started = time.monotonic()
        self.ensure_local(wanted)
        if "archive" in wanted.missing and wanted.archive:
            self._engine.save(wanted.image.name, wanted.local, wanted.archive)
            wanted.steps.append("archived")
        if "registry" in wanted.missing and wanted.reference:
            self._engine.push(wanted.image.name, wanted.local, wanted.reference, self._compression)
            wanted.steps.append("pushed")
        wanted.seconds = time.monotonic() - started

    def ensure_local(self, wanted: Wanted) -> None:
        """Have the image in the storage: there already, from its archive, from the registry, or built."""
        name = wanted.image.name
        if self._engine.has(wanted.local):
            return
        if wanted.archive and "archive" not in wanted.missing:
            self._engine.load(name, wanted.archive, wanted.local)
            wanted.steps.append("loaded")
        elif wanted.reference and "registry" not in wanted.missing:
            self._engine.pull(name, wanted.reference, wanted.local)
            wanted.steps.append("pulled")
        else:
            self._build(wanted)
            wanted.steps.append("built")

    def _base(self, name: str, base: str) -> str:
        """The local name of a base, brought into the storage first."""
        if base in self._known:
            self.ensure_local(self._known[base])
            return self._known[base].local
        self._engine.pull(name, base)
        return base

    def _build(self, wanted: Wanted) -> None:
        image = wanted.image
        progress.say(image.name)
        options = [f"--build-arg={key}={value}" for key, value in sorted(image.build_args.items())]
        options += [f"--build-arg={key}={self._base(image.name, base)}" for key, base in sorted(image.bases.items())]
        options += [f"--label={key}={value}" for key, value in sorted(image.labels.items())]
        with tempfile.TemporaryDirectory(dir=self._work_dir) as folder:
            if image.bootstrap:
                self._bootstrap(image.name, image.bootstrap, folder)
            context.lay_out(image.all_files(), folder)
            self._refuse_change(wanted)
            self._engine.build(image.name, wanted.local, folder, self.settings_dir(), options)

    def _refuse_change(self, wanted: Wanted) -> None:
        """A tag says what is in the image: files that somebody changed after it was made must not get into it."""
        tags = {name: one.tag for name, one in self._known.items()}
        if tag_of(wanted.image, tags, self._refresh) != wanted.tag:
            raise ImagesError(f"the files of image {wanted.image.name} changed while images were built: run it again")

    def _bootstrap(self, name: str, suite: str, folder: str) -> None:
        sources = apt.sources(self._settings.mirror, suite, self._settings.mirror.keyring)
        host_apt = os.path.join(self.settings_dir(), build_settings.HOST_APT)
        self._engine.bootstrap(name, suite, sources, host_apt, os.path.join(folder, ROOTFS))
        with open(os.path.join(folder, "Containerfile"), "w", encoding="utf-8") as stream:
            stream.write(f'FROM scratch\nADD {ROOTFS} /\nCMD ["/bin/bash"]\n')
