# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that prepares PostgreSQL's folder, run with the shell; the server's programs stand in for their faults."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from rendering import ROLES

SCRIPT = ROLES / "postgresql" / "files" / "start.sh"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A volume with a data folder of PostgreSQL 17, and programs that do nothing."""
    for name in ("bin", "run", "volume", "volume/pgdata", "config"):
        (tmp_path / name).mkdir()
    (tmp_path / "volume" / "pgdata" / "PG_VERSION").write_text("17\n")
    (tmp_path / "password").write_text("secret")
    program(tmp_path, "pg_isready", "exit 0")
    program(tmp_path, "initdb", f"touch {tmp_path}/made")
    return {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "PGDATA": f"{tmp_path}/volume/pgdata",
        "POSTGRESQL_CONFIG": f"{tmp_path}/config",
        "POSTGRESQL_RUN": f"{tmp_path}/run",
        "POSTGRESQL_PASSWORD_FILE": f"{tmp_path}/password",
        "POSTGRESQL_RETRY_SECONDS": "0.01",
    }


def program(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_password_that_cannot_be_set_is_tried_again_until_the_server_is_ready(
    environment: dict[str, str], tmp_path: Path
) -> None:
    # The first two attempts fail, as on a full volume; the server ends when it is ready.
    program(tmp_path, "psql", f"cat >/dev/null; echo >>{tmp_path}/tries; [ $(wc -l <{tmp_path}/tries) -gt 2 ]")
    ready = tmp_path / "run" / "ready"
    run = f"until test -e {ready}; do sleep 0.01; done"
    program(tmp_path, "postgres", f'case "$1" in --version) echo "postgres (PostgreSQL) 17.6";; *) {run};; esac')
    done = start(environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the superuser's password could not be set, so the server is not ready yet") == 2


@pytest.mark.parametrize(("seconds", "stays"), [("45", False), ("0", True)])
def test_the_number_of_a_killed_server_is_forgotten_under_the_lease(
    environment: dict[str, str], tmp_path: Path, seconds: str, stays: bool
) -> None:
    program(tmp_path, "psql", "cat >/dev/null")
    program(tmp_path, "postgres", 'case "$1" in --version) echo "postgres (PostgreSQL) 17.6";; esac')
    number = Path(environment["PGDATA"], "postmaster.pid")
    number.write_text("13\n")
    assert start({**environment, "POSTGRESQL_LEASE_SECONDS": seconds}).returncode == 0
    assert number.exists() is stays


def test_the_exporters_role_is_made_with_the_password(environment: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path, "psql", f"cat >{tmp_path}/sql")
    run = f"until test -e {tmp_path}/run/ready; do sleep 0.01; done"
    program(tmp_path, "postgres", f'case "$1" in --version) echo "postgres (PostgreSQL) 17.6";; *) {run};; esac')
    assert start(environment).returncode == 0
    assert "pg_monitor" not in (tmp_path / "sql").read_text()
    assert start({**environment, "POSTGRESQL_METRICS_ROLE": "watcher"}).returncode == 0
    lines = (tmp_path / "sql").read_text().splitlines()
    assert lines[1] == "ALTER ROLE postgres WITH PASSWORD :'password';"
    assert lines[-1] == "GRANT pg_monitor TO watcher;"
    assert lines[-2].endswith("\\gexec")


def test_a_data_folder_of_another_uid_is_named_and_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(environment["PGDATA"], 4711, 4711)
    done = start(environment)
    assert done.returncode == 1
    assert "belongs to uid 4711, this server runs as uid 0; nothing was changed" in done.stderr
    assert "make postgresql_uid 4711" in done.stderr
    assert not (tmp_path / "made").exists()
