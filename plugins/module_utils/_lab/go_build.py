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
# What decides the result beside the command; the toolchain never downloads another.
SETTINGS = {
    "CGO_ENABLED": "0",
    "GOENV": "off",
    "GOFLAGS": "-buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}
NETWORK = ("GOAUTH", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOVCS")
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


def network_settings(variables: t.Mapping[str, str]) -> dict[str, str]:
    """Those of Go's variables that say where modules come from: all that is taken over from the machine."""
    return {name: variables[name] for name in NETWORK if variables.get(name)}


def environment(inherited: t.Mapping[str, str], network: t.Mapping[str, str], cache_dir: str) -> dict[str, str]:
    """The environment of a build: no variable and no file of Go's on this machine decides the result."""
    others = {name: value for name, value in inherited.items() if not name.startswith(("GO", "CGO_"))}
    caches = {"GOCACHE": f"{cache_dir}/go/build", "GOMODCACHE": f"{cache_dir}/go/mod"}
    return {"HOME": "/root", **others, **network, **SETTINGS, **caches}


def build_key(program: Program, go_version: str) -> str:
    """16 hexadecimal digits of everything that decides the result."""
    command = build_command("go", program, "output")
    digest = hashlib.sha256(repr((go_version, command, sorted(SETTINGS.items()), program.name)).encode())
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
