# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The installed system that machines of the lab begin with: one archive in the cache, keyed by what makes it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError

LAST_LINES = 12
# What belongs to one machine is written into its copy, never into the archive.
CLEAN = (
    'cd "$1" && rm -f etc/ssh/ssh_host_* etc/hostname etc/resolv.conf '
    "etc/apt/apt.conf.d/99mmdebstrap etc/apt/sources.list.d/*"
)


@dataclass(frozen=True)
class Apt:
    """How this machine gets its packages: the text of a sources.list and of an apt.conf, and the keyring they name."""

    sources: str
    settings: str
    keyring: str


@dataclass(frozen=True)
class Recipe:
    """What makes the archive."""

    suite: str
    packages: tuple[str, ...]

    def command(self, output: str, sources: str, settings: str) -> list[str]:
        """Return the command that installs the system from a sources.list, as an archive."""
        return [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={','.join(sorted(self.packages))}",
            f"--aptopt={settings}",
            f"--customize-hook={CLEAN}",
            self.suite,
            output,
            sources,
        ]

    def key(self) -> str:
        """Return the name of the archive's content, whichever mirror it comes from."""
        content = [self.command("output", "sources", "settings"), platform.machine()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def archive(self, cache: Path) -> Path:
        """Return where the archive lies once it is whole."""
        return cache / "rootfs" / f"{self.suite}-{self.key()}.tar"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def build(recipe: Recipe, apt: Apt, cache: Path) -> bool:
    """Make the archive unless it is there; tell whether it was made. Other instances wait meanwhile."""
    archive = recipe.archive(cache)
    with _alone(archive.parent):
        if archive.exists():
            return False
        work = archive.parent / f".{archive.stem}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            _install(recipe, apt, work).replace(archive)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return True


def _install(recipe: Recipe, apt: Apt, work: Path) -> Path:
    output, sources, settings = work / "root.tar", work / "sources.list", work / "apt.conf"
    sources.write_text(apt.sources, encoding="utf-8")
    settings.write_text(apt.settings, encoding="utf-8")
    environment = {**os.environ, "TMPDIR": str(work), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    command = recipe.command(str(output), str(sources), str(settings))
    run(command, f"Debian {recipe.suite} cannot be installed for the storage machine", environment)
    return output


def run(command: list[str], complaint: str, environment: t.Mapping[str, str] | None = None) -> str:
    """Run a program; return its output, or fail with a sentence and its last lines."""
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise LabError(f"{complaint}: the program {command[0]} is missing; role lab_host installs it") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:]
        raise LabError("\n".join([f"{complaint}: {command[0]} ended with status {done.returncode}", *lines]))
    return done.stdout
