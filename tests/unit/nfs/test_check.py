# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The check of volumes: the program in the pod, and what its reports mean."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.filter.nfs_check import nfs_check_verdict

CHECK = Path(__file__).parents[3] / "roles/nfs_check/files/check.py"
GOOD = {"write_mib_s": 100.0, "fsync_median_ms": 1.5, "fsync_p99_ms": 9.0, "free_bytes": 200 << 30, "failed": {}}
LAYOUT = {"minio": {"path": "/bitnami/c/minio", "uid": 1000, "gid": 100, "size": "100Gi"}}


def judge(report: dict[str, t.Any], owner: str = "1000:100", **limits: t.Any) -> dict[str, str]:
    owners = [f"{owner} /bitnami/c/minio/.nfs-check-7/owner"] if owner else []
    return nfs_check_verdict({"minio": report}, LAYOUT, owners, ".nfs-check-7", **limits)[0]


def test_a_good_volume() -> None:
    numbers = "100.0 MiB/s, fsync 1.5 ms (p99 9.0 ms), rename and lock work, owner 1000:100, 200.0 GiB free"
    said = {"component": "minio", "status": "ok", "text": numbers, "line": f"minio: ok: {numbers}"}
    assert judge(GOOD) == said


@pytest.mark.parametrize(
    ("report", "owner", "status", "words"),
    [
        ({"fsync_p99_ms": 51.0}, "1000:100", "warning", "fsync is slow (p99 above 50 ms); 100.0 MiB/s"),
        ({"free_bytes": 99 << 30}, "1000:100", "warning", "less is free than the claim's 100Gi"),
        ({"fsync_p99_ms": 2001.0}, "1000:100", "failed", "fsync takes 2001.0 ms (p99), more than 2000 ms"),
        ({"free_bytes": 1 << 29}, "1000:100", "failed", "only 0.5 GiB are free"),
        ({}, "65534:65534", "failed", "the server sees the owner 65534:65534, and not 1000:100"),
        ({}, "", "failed", "the server does not see the file, and not 1000:100"),
        ({"failed": {"lock": "no locks available"}}, "1000:100", "failed", "locking failed: no locks available"),
        ({"failed": {"folder": "read-only"}}, "", "failed", "making a folder failed: read-only"),
        ({"error": "mount failed: timed out"}, "", "failed", "the volume could not be used: mount failed: timed out"),
    ],
)
def test_verdicts(report: dict[str, t.Any], owner: str, status: str, words: str) -> None:
    found = judge({**GOOD, **report}, owner)
    assert found["status"] == status
    assert words in found["line"]


def test_limits_can_be_changed() -> None:
    assert judge(GOOD, fsync_warn_ms=5)["status"] == "warning"
    assert judge(GOOD, fsync_fail_ms=8.5)["status"] == "failed"
    assert judge(GOOD, free_fail="1Ti")["status"] == "failed"


def run(folder: Path, report: Path) -> dict[str, t.Any]:
    subprocess.run([sys.executable, str(CHECK), str(folder), str(report)], check=True)
    return json.loads(report.read_text())


def test_the_program_measures_and_leaves_its_owner(tmp_path: Path) -> None:
    found = run(tmp_path / "check", tmp_path / "report")
    assert found["failed"] == {}
    assert set(found) == set(GOOD)
    assert found["fsync_median_ms"] <= found["fsync_p99_ms"]
    assert (tmp_path / "check/owner").exists()
    assert judge(found, free_fail="0")["status"] in ("ok", "warning")


def test_the_program_tells_what_failed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = run(tmp_path / "file" / "check", tmp_path / "report")
    assert list(found["failed"]) == ["folder"]


def test_a_step_that_fails_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "check" / "lock").mkdir(parents=True)
    found = run(tmp_path / "check", tmp_path / "report")
    assert list(found["failed"]) == ["lock"]
    assert found["fsync_p99_ms"] >= 0
