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


def program(folder: Path, name: str, text: str) -> None:
    """A program that stands for one of Redis."""
    (folder / "bin").mkdir(exist_ok=True)
    file = folder / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def users(folder: Path, password: str, **environment: str) -> list[str]:
    """The lines of the file after a start with this password."""
    program(folder, "redis-server", environment.pop("server", ""))
    program(folder, "redis-cli", environment.pop("client", "exit 1"))
    (folder / "password").write_text(password)
    given = {
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "REDIS_DATA": f"{folder}/data",
        "REDIS_CONFIG": f"{folder}/redis.conf",
        "REDIS_PASSWORD_FILE": f"{folder}/password",
        "REDIS_PORT": "6379",
    }
    subprocess.run(["sh", str(SCRIPT)], env={**given, **environment}, check=True, timeout=60)
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


def persistence(write: str, running: int, rewrite: str, rewrites: int) -> str:
    """What the server says of its log."""
    return (
        f"# Persistence\r\naof_rewrite_in_progress:{running}\r\naof_last_bgrewrite_status:{rewrite}\r\n"
        f"aof_rewrites:{rewrites}\r\naof_last_write_status:{write}\r\n"
    )


def rewrites(folder: Path, *looks: str) -> int:
    """How often the log was written anew when the server said this, one look after the other."""
    (folder / "info").write_text("".join(looks))
    answer = f'case "$*" in *info*) cat {folder}/info; touch {folder}/read;; *) echo one >>{folder}/rewrites;; esac'
    wait = f"while [ ! -e {folder}/read ]; do sleep 0.1; done; sleep 0.5"
    users(folder, "first", client=answer, server=wait)
    file = folder / "rewrites"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_log_that_the_volume_refused_is_written_anew_once_there_is_space(tmp_path: Path) -> None:
    healthy, full = persistence("ok", 0, "ok", 3), persistence("err", 0, "ok", 3)
    running, done = persistence("ok", 1, "ok", 4), persistence("ok", 0, "ok", 4)
    # What was said before the rewrite began does not count as its end.
    assert rewrites(tmp_path, healthy, full, full, healthy, healthy, running, done, done) == 1


def test_a_healthy_log_is_left_alone(tmp_path: Path) -> None:
    assert rewrites(tmp_path, persistence("ok", 0, "ok", 3), persistence("ok", 1, "ok", 4)) == 0


def test_a_rewrite_that_fails_is_tried_again_after_a_rest(tmp_path: Path) -> None:
    full, free, failed = persistence("err", 0, "ok", 3), persistence("ok", 0, "ok", 3), persistence("ok", 0, "err", 4)
    assert rewrites(tmp_path, full, free, *[failed] * 21) == 1
    (tmp_path / "read").unlink()
    (tmp_path / "rewrites").unlink()
    assert rewrites(tmp_path, full, free, *[failed] * 23) == 2
