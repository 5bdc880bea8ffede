# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""How this machine gets its packages, so that the lab's machines get theirs in the same way."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._images import apt
from ansible_collections.mlops.platform.plugins.module_utils._lab import files, rootfs
from ansible_collections.mlops.platform.plugins.module_utils._lab.rootfs import Apt

CONFIGURATION = "/etc/apt"


def fingerprint(suite: str, folder: str = CONFIGURATION) -> str:
    """Return what changes whenever a file of apt's configuration does."""
    seen = [suite]
    for path, _folders, names in sorted(os.walk(folder)):
        stats = ((name, os.lstat(os.path.join(path, name))) for name in sorted(names))
        seen += [f"{path}/{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def read(suite: str) -> Apt:
    """Ask apt. That takes half a second: it reads all package lists to tell whose they are."""
    command = ["apt-get", "indextargets", "--format", apt.TARGETS_FORMAT]
    targets = rootfs.run(command, "apt's sources cannot be read")
    if "|Debian|" not in targets:
        # A machine without package lists, such as a fresh container: apt does not know yet whose sources these are.
        rootfs.run(["apt-get", "update"], "apt's package lists cannot be had")
        targets = rootfs.run(command, "apt's sources cannot be read")
    lines = apt.passed_on(rootfs.run(["apt-config", "dump"], "apt's configuration cannot be read"))
    mirror = apt.mirror_of(targets)
    settings = "".join(f"{line}\n" for line in lines)
    return Apt(apt.sources(mirror, suite, mirror.keyring), settings, mirror.keyring)


def remembered(record: Path, now: str) -> Apt | None:
    """Return the answer of an earlier run, unless apt's configuration changed since."""
    content = files.read(str(record))
    if content is None:
        return None
    values = json.loads(content)
    return Apt(**values["apt"]) if values["fingerprint"] == now else None


def remember(record: Path, now: str, answer: Apt) -> None:
    """Keep the answer for the next run; a proxy's address may hold a password."""
    content = json.dumps({"fingerprint": now, "apt": asdict(answer)})
    files.write(str(record), content.encode(), private=True)
