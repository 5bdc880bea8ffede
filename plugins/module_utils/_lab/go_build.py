# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Decisions about building Go programs: the key of their cached result and the command that builds them."""

from __future__ import annotations

import hashlib
import os
import re
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError

KUBERNETES = re.compile(
    r"^\s*(?:require\s+)?k8s\.io/kubernetes v(?P<version>(?P<major>\d+)\.(?P<minor>\d+)\.\d+)$", re.MULTILINE
)
SKIPPED_FOLDERS = {"bin", "testdata", ".git"}


class Program(t.NamedTuple):
    """One program: ``source`` is the folder of its module, ``package`` what is built, ``ldflags`` extra flags."""

    name: str
    source: str
    package: str
    ldflags: str


def source_files(folder: str) -> list[str]:
    """Paths of the module's files below the folder, in a fixed order; tests are not part of a program."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        found += [os.path.join(parent, name) for name in files if not name.endswith(("_test.go", ".md"))]
    return sorted(found)


def build_key(program: Program, go_version: str, flags: t.Sequence[str]) -> str:
    """16 hexadecimal digits of everything that decides the result."""
    digest = hashlib.sha256(repr((go_version, list(flags), program.name, program.package)).encode())
    for path in source_files(program.source):
        digest.update(os.path.relpath(path, program.source).encode() + b"\0")
        with open(path, "rb") as stream:
            digest.update(hashlib.sha256(stream.read()).digest())
    return digest.hexdigest()[:16]


def go_mod(source: str) -> str:
    try:
        with open(os.path.join(source, "go.mod"), encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise LabError(f"programs: {source} has no go.mod; name the folder of a Go module") from error


def kubernetes_version(mod: str) -> str | None:
    """The version of k8s.io/kubernetes that a go.mod requires: the one place that says which Kubernetes is built."""
    match = KUBERNETES.search(mod)
    return match["version"] if match else None


def ldflags(program: Program) -> str:
    """Link flags; a Kubernetes module gets its version stamped in, else the server reports v0.0.0-master."""
    flags = ["-s -w", program.ldflags]
    match = KUBERNETES.search(go_mod(program.source))
    if match:
        values = {
            "gitVersion": f"v{match['version']}",
            "gitMajor": match["major"],
            "gitMinor": match["minor"],
            "gitTreeState": "clean",
            "gitCommit": "module",
        }
        flags += [f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items()]
    return " ".join(flag for flag in flags if flag)


def build_command(go: str, program: Program, output: str) -> list[str]:
    return [go, "build", "-trimpath", "-mod=readonly", "-ldflags", ldflags(program), "-o", output, program.package]
