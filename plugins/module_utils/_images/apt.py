# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Where Debian packages come from: read from the apt configuration of the machine that builds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TARGETS_FORMAT = "$(CREATED_BY)|$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)|$(SIGNED_BY)"
PASSED_ON = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-Valid-Until", "Acquire::Check-Date")


@dataclass(frozen=True)
class Mirror:
    """The archive, its security archive and the keyring that signs both."""

    archive: str
    security: str
    keyring: str = KEYRING


def mirror_of(targets: str) -> Mirror:
    """The mirror from the output of ``apt-get indextargets --format TARGETS_FORMAT``."""
    archive = security = keyring = ""
    for line in targets.splitlines():
        kind, origin, codename, component, uri, signed_by = (line.split("|") + [""] * 6)[:6]
        if kind != "Packages" or origin != "Debian" or component != "main":
            continue
        if codename.endswith("-security"):
            security = security or uri
        else:
            archive = archive or uri
            keyring = keyring or (signed_by if signed_by.startswith("/") else "")
    if not archive or not security:
        raise ImagesError(
            "this machine's apt configuration names no Debian archive with its security archive (or apt-get update "
            "never ran): build on a Debian machine, or give apt_mirror and apt_security_mirror"
        )
    return Mirror(archive.rstrip("/"), security.rstrip("/"), keyring or KEYRING)


def sources(mirror: Mirror, suite: str, keyring: str, backports: bool = False) -> str:
    """Lines of a sources.list for a suite; backports only give what is asked for by a name of their own."""
    suites = [(mirror.archive, suite), (mirror.archive, f"{suite}-updates"), (mirror.security, f"{suite}-security")]
    suites += [(mirror.archive, f"{suite}-backports")] if backports else []
    return "".join(f"deb [signed-by={keyring}] {uri} {name} main\n" for uri, name in suites)


def passed_on(dump: str) -> list[str]:
    """The lines of ``apt-config dump`` that say how this machine reaches its mirror: proxies and the like."""

    def is_wanted(line: str) -> bool:
        key = line.split(" ", 1)[0]
        return any(key == name or key.startswith(f"{name}::") for name in PASSED_ON)

    return [line for line in dump.splitlines() if is_wanted(line) and line.split(" ", 1)[1:] != ['"";']]


def configuration(lines: t.Sequence[str], ca_file: str, sources_file: str) -> str:
    """An apt.conf for builds: the machine's way to the mirror, its CA bundle, and nothing kept."""
    own = [
        f'Dir::Etc::SourceList "{sources_file}";',
        'Dir::Etc::SourceParts "/dev/null";',
        f'Acquire::https::CAInfo "{ca_file}";',
        'Acquire::Languages "none";',
        'APT::Install-Recommends "false";',
        'APT::Sandbox::User "root";',
        'DPkg::Options:: "--force-unsafe-io";',
    ]
    return "\n".join([*lines, *own]) + "\n"
