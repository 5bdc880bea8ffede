# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that writes Redis's file of users before the server starts."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from rendering import ROLES

SCRIPT = ROLES / "redis" / "files" / "start.sh"


def users(folder: Path, password: str, **environment: str) -> list[str]:
    """The lines of the file after a start with this password."""
    (folder / "bin").mkdir(exist_ok=True)
    server = folder / "bin" / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    (folder / "password").write_text(password)
    given = {
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "REDIS_DATA": f"{folder}/data",
        "REDIS_CONFIG": f"{folder}/redis.conf",
        "REDIS_PASSWORD_FILE": f"{folder}/password",
    }
    subprocess.run(["sh", str(SCRIPT)], env={**given, **environment}, check=True)
    return (folder / "data" / "users.acl").read_text().splitlines()


def test_the_newest_password_is_added_once_and_others_stay(tmp_path: Path) -> None:
    users(tmp_path, "first")
    users(tmp_path, "second")
    found = users(tmp_path, "second")
    (own,) = [line for line in found if line.startswith("user default ")]
    hashes = [word[1:] for word in own.split() if word.startswith("#")]
    assert sorted(hashes) == sorted(hashlib.sha256(text).hexdigest() for text in (b"first", b"second"))


def test_the_exporter_may_read_statistics_while_there_is_one(tmp_path: Path) -> None:
    for _ in range(2):
        (line,) = [line for line in users(tmp_path, "first", REDIS_METRICS="true") if line.startswith("user metrics ")]
    assert line.split()[:5] == ["user", "metrics", "on", "nopass", "-@all"]
    assert "+info" in line.split()
    assert not [word for word in line.split() if word.startswith("~") or "config" in word]
    assert not [line for line in users(tmp_path, "first") if line.startswith("user metrics ")]
