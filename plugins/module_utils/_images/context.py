# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The files that an image is made of: listed, digested, and laid out for the build."""

from __future__ import annotations

import hashlib
import os
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError

IGNORED_SUFFIXES = (".pyc", ".orig", ".rej", "~")
IGNORED_NAMES = ("__pycache__", "README.md")


@dataclass(frozen=True)
class ContextFile:
    """One file of a build context: from a path of this machine, or with the content given."""

    name: str
    path: str | None = None
    content: str | None = None

    @property
    def executable(self) -> bool:
        """Only the owner's execute bit counts: a checkout's other bits depend on the umask."""
        return self.path is not None and bool(os.stat(self.path).st_mode & 0o100)

    def digest(self) -> str:
        """SHA-256 of the content."""
        if self.path is None:
            return hashlib.sha256((self.content or "").encode()).hexdigest()
        digest = hashlib.sha256()
        with open(self.path, "rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()


def is_ignored(name: str) -> bool:
    """Hidden files, caches and notes do not make an image."""
    return name.startswith(".") or name in IGNORED_NAMES or name.endswith(IGNORED_SUFFIXES)


def folder_files(folder: str) -> list[ContextFile]:
    """The files below a folder that belong to the image, sorted by name."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            if os.path.islink(path):
                raise ImagesError(f"{path} is a symbolic link: an image's folder must hold plain files")
        found += [os.path.join(parent, name) for name in names if not is_ignored(name)]
    return [ContextFile(os.path.relpath(path, folder), path=path) for path in sorted(found)]


def context_files(folder: str | None, extra: t.Sequence[ContextFile]) -> list[ContextFile]:
    """The folder's files and the ones given one by one, which must not have the same names."""
    files = folder_files(folder) if folder else []
    names = {file.name for file in files}
    for file in extra:
        if file.name in names:
            raise ImagesError(f"{file.name} is in {folder} and in the image's files: give it once")
        if os.path.isabs(file.name) or ".." in file.name.split("/"):
            raise ImagesError(f"{file.name!r} is not a name inside a build context: give a relative path without ..")
        if file.path is not None and not os.path.isfile(file.path):
            raise ImagesError(f"the file {file.path} (for {file.name}) does not exist: build it first")
    return sorted([*files, *extra], key=lambda file: file.name)


def manifest(files: t.Iterable[ContextFile]) -> list[list[t.Any]]:
    """Name, execute bit and digest of each file: what of them goes into a tag."""
    return [[file.name, file.executable, file.digest()] for file in files]


def lay_out(files: t.Iterable[ContextFile], folder: str) -> None:
    """Write the files into a folder with the same modes everywhere, as COPY keeps them."""
    for file in files:
        target = os.path.join(folder, file.name)
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        if file.path is None:
            with open(target, "w", encoding="utf-8") as stream:
                stream.write(file.content or "")
        else:
            shutil.copyfile(file.path, target)
        os.chmod(target, 0o755 if file.executable else 0o644)
