# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The programs that do the work: buildah for images, mmdebstrap for a base, skopeo for copies."""

from __future__ import annotations

import hashlib
import os
import subprocess
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, build_settings

TAIL_LINES = 25
COMMAND = "+ "
PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "skopeo": "skopeo", "apt-get": "apt"}
# No documentation and no translations: they are a third of a small image, and nobody reads them in a pod.
DPKG_OPTIONS = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)


def tail(path: str) -> str:
    """The last lines of a log, of its last command only."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        lines = stream.readlines()
    start = max((number for number, line in enumerate(lines) if line.startswith(COMMAND)), default=0)
    return "".join(lines[start + 1 :][-TAIL_LINES:]).strip()


def _not_installed(program: str) -> ImagesError:
    return ImagesError(f"{program} is not installed: install the package {PACKAGES.get(program, program)}")


class Runner:
    """Runs programs; their output goes to one log per image, so that a long build can be followed."""

    def __init__(self, log_dir: str, tmpdir: str | None = None) -> None:
        self._log_dir = log_dir
        self._begun: set[str] = set()
        # Buildah keeps the caches of builds below its temporary folder.
        self._environment = {**os.environ, "TMPDIR": tmpdir} if tmpdir else None

    def log(self, name: str) -> str:
        """The log of one image."""
        return os.path.join(self._log_dir, name.replace("/", "-") + ".log")

    def output(self, argv: t.Sequence[str], check: bool = True) -> str | None:
        """What a short command prints; nothing when it fails and ``check`` is off."""
        try:
            done = subprocess.run(argv, env=self._environment, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise ImagesError(
                f"{argv[0]} is not installed: install the package {PACKAGES.get(argv[0], argv[0])}"
            ) from error
        if done.returncode and check:
            raise ImagesError(f"{' '.join(argv[:2])} failed: {done.stderr.strip()[-1000:]}")
        return None if done.returncode else done.stdout

    def logged(self, name: str, argv: t.Sequence[str], stdin: str = "") -> None:
        """Run a long command; on failure say its last lines and where the rest is."""
        path = self.log(name)
        with open(path, "a" if name in self._begun else "w", encoding="utf-8") as log:
            self._begun.add(name)
            log.write(f"{COMMAND}{' '.join(argv)}\n")
            log.flush()
            try:
                done = subprocess.run(
                    argv,
                    env=self._environment,
                    input=stdin,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
            except FileNotFoundError as error:
                raise _not_installed(argv[0]) from error
        if done.returncode:
            raise ImagesError(f"image {name}: {argv[0]} failed with {done.returncode}; {path} ends with:\n{tail(path)}")


def run_root(storage: str) -> str:
    """The folder for what a storage must forget at a reboot."""
    return f"/run/mlops-images/{hashlib.sha256(os.path.realpath(storage).encode()).hexdigest()[:12]}"


class Engine:
    """Images in one storage of this machine."""

    def __init__(self, runner: Runner, storage: str | None, authfile: str | None, cert_dir: str | None) -> None:
        self._runner = runner
        roots = ["--root", storage, "--runroot", run_root(storage)] if storage else []
        self._buildah = ["buildah", *roots]
        login = ["--authfile", authfile] if authfile else []
        self._registry = login + (["--cert-dir", cert_dir] if cert_dir else [])

    def has(self, reference: str) -> bool:
        """Whether the storage has an image of that name."""
        argv = [*self._buildah, "inspect", "--type", "image", "--format", "{{.FromImageID}}", reference]
        return self._runner.output(argv, check=False) is not None

    def build(self, name: str, reference: str, folder: str, settings: str, options: t.Sequence[str]) -> None:
        """Build a folder's Containerfile; no base is fetched by it, every one has to be in the storage."""
        volume = ["--volume", f"{settings}:{build_settings.MOUNTED_AT}:ro"]
        fixed = ["--isolation", "chroot", "--pull=never", "--format", "oci", "--layers=false"]
        self._runner.logged(name, [*self._buildah, "build", *fixed, *volume, *options, "--tag", reference, folder])

    def bootstrap(self, name: str, suite: str, sources: str, apt_lines: str, target: str) -> None:
        """A root filesystem of Debian's smallest package set, without a trace of the mirror it came from.

        ``apt_lines`` is a file: it may hold a proxy's password, which has no place among a process's arguments.
        """
        options = [f"--dpkgopt={option}" for option in DPKG_OPTIONS] + [f"--aptopt={apt_lines}"]
        forget = (
            'rm -rf "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* '
            '"$1"/var/log/* "$1"/etc/hostname "$1"/etc/resolv.conf'
        )
        argv = ["mmdebstrap", "--mode=root", "--variant=minbase", *options, f"--customize-hook={forget}"]
        self._runner.logged(name, [*argv, suite, target, "-"], stdin=sources)

    def load(self, name: str, archive: str, reference: str) -> None:
        """Bring an archive into the storage."""
        self._runner.logged(name, [*self._buildah, "pull", "--quiet", f"oci-archive:{archive}:{reference}"])

    def pull(self, name: str, reference: str, as_reference: str | None = None) -> None:
        """Bring an image of a registry into the storage, under another name if one is given."""
        self._runner.logged(name, [*self._buildah, "pull", "--quiet", *self._registry, reference])
        if as_reference:
            self._runner.logged(name, [*self._buildah, "tag", reference, as_reference])

    def save(self, name: str, reference: str, archive: str) -> None:
        """Write an archive; a reader sees all of it or nothing."""
        unfinished = f"{archive}.{os.getpid()}.unfinished"
        try:
            destination = f"oci-archive:{unfinished}:{reference}"
            self._runner.logged(name, [*self._buildah, "push", "--quiet", reference, destination])
            descriptor = os.open(unfinished, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
            os.replace(unfinished, archive)
        finally:
            if os.path.exists(unfinished):
                os.unlink(unfinished)

    def push(self, name: str, reference: str, destination: str, compression: str) -> None:
        """Push an image to a registry."""
        options = ["--quiet", "--compression-format", compression, *self._registry]
        self._runner.logged(name, [*self._buildah, "push", *options, reference, f"docker://{destination}"])

    def remove_leftovers(self) -> None:
        """Remove the working containers that a killed build left in a storage of our own."""
        self._runner.output([*self._buildah, "rm", "--all"])
