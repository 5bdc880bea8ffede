# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Project quotas on a file system that counts: its attributes and limits are in memory, its folders are real."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import quota

from .counting import Counting
from .runs import Runner, export
from .servers import KernelServer

MINIO, SHARED = "c/minio", "c/minio/shared"


@pytest.fixture
def run(disk: Counting, tmp_path: Path, root: Path) -> Runner:
    assert disk
    return Runner(KernelServer(tmp_path), root)


def projects(result: dict[str, t.Any], root: Path) -> dict[str, int]:
    return {one["path"][len(str(root)) + 1 :]: one["project"] for one in result["exports"]}


def test_a_limit_is_set_raised_and_lifted(disk: Counting, run: Runner, root: Path) -> None:
    number = projects(run(export(quota="1Gi")), root)[MINIO]
    assert disk.limits == {number: 1 << 30}
    raised = run(export(quota="2Gi"))
    assert raised["changes"] == [f"limit {root}/c/minio to 2Gi"]
    assert projects(raised, root) == {MINIO: number}
    assert run(export(quota="2Gi"))["changed"] is False
    assert run(export())["changes"] == [f"lift the limit of {root}/c/minio"]
    assert disk.limits == {number: 0}
    assert run(export())["changed"] is False


def test_files_that_are_there_count(disk: Counting, run: Runner, root: Path) -> None:
    (root / "c/minio/deep/er").mkdir(parents=True)
    (root / "c/minio/deep/er/file").write_text("x")
    os.mkfifo(root / "c/minio/pipe")
    number = projects(run(export(quota="1Gi")), root)[MINIO]
    for path in ("", "deep", "deep/er", "deep/er/file"):
        assert disk.project(root / "c/minio" / path) == number
    assert disk.project(root / "c/minio/pipe") == 0
    assert disk.project(root / "c") == 0


@pytest.mark.parametrize("order", [(MINIO, SHARED), (SHARED, MINIO)])
def test_one_limit_in_the_other(disk: Counting, run: Runner, root: Path, order: tuple[str, str]) -> None:
    (root / SHARED / "in").mkdir(parents=True)
    both = [export(path, quota="1Gi") for path in order]
    found = projects(run(*both), root)
    assert disk.project(root / MINIO) == found[MINIO]
    assert disk.project(root / SHARED) == disk.project(root / SHARED / "in") == found[SHARED]
    assert run(*both)["changed"] is False


def test_the_inner_limit_of_another_name_is_spared(disk: Counting, run: Runner, root: Path) -> None:
    run(export(MINIO))
    inner = projects(run(export(SHARED, quota="1Gi"), name="prod02"), root)[SHARED]
    outer = projects(run(export(MINIO, quota="2Gi")), root)[MINIO]
    assert (disk.project(root / MINIO), disk.project(root / SHARED)) == (outer, inner)
    assert run(export(SHARED, quota="1Gi"), name="prod02")["changed"] is False


def test_without_its_own_limit_a_folder_counts_to_the_outer_one(disk: Counting, run: Runner, root: Path) -> None:
    run(export(MINIO, quota="2Gi"), export(SHARED, quota="1Gi"))
    (root / SHARED / "file").write_text("x")
    found = projects(run(export(MINIO, quota="2Gi"), export(SHARED)), root)
    assert disk.project(root / SHARED) == disk.project(root / SHARED / "file") == found[MINIO]
    assert run(export(MINIO, quota="2Gi"), export(SHARED))["changed"] is False


def test_a_limit_that_comes_back_counts_everything(disk: Counting, run: Runner, root: Path) -> None:
    run(export(MINIO, quota="2Gi"), export(SHARED, quota="1Gi"))
    run(export(MINIO), export(SHARED))
    number = projects(run(export(MINIO, quota="2Gi"), export(SHARED)), root)[MINIO]
    assert disk.project(root / MINIO) == disk.project(root / SHARED) == number


def test_a_limit_is_taken_back_after_a_failure(disk: Counting, run: Runner, root: Path) -> None:
    number = projects(run(export(quota="1Gi")), root)[MINIO]
    run.server.fault = lambda call: (1, "", "injected") if "-ra" in call else None
    with pytest.raises(Exception, match="the old exports are in force"):
        run(export(quota="2Gi", clients=["10.1.0.0/24"]))
    assert disk.limits == {number: 1 << 30}


@pytest.mark.parametrize("swapped", ["gone", "a link", "a pipe"])
def test_what_clients_do_meanwhile_is_no_failure(
    disk: Counting, run: Runner, root: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """The file is another one, or none, when it is looked at, and when it is opened."""
    (root / "c/minio").mkdir(parents=True)
    for name in ("early", "late", "other"):
        (root / "c/minio" / name).write_text("x")
    real = os.stat

    def swap(name: str) -> None:
        path = root / "c/minio" / name
        path.unlink()
        if swapped == "a link":
            path.symlink_to("/etc/passwd")
        elif swapped == "a pipe":
            os.mkfifo(path)

    def stat(name: t.Any, **more: t.Any) -> os.stat_result:
        if name == "early":
            swap("early")
        found = real(name, **more)
        if name == "late":
            swap("late")
        return found

    before = disk.project(Path("/etc/passwd"))
    monkeypatch.setattr(quota.os, "stat", stat)
    number = projects(run(export(quota="1Gi")), root)[MINIO]
    monkeypatch.undo()
    assert disk.project(root / "c/minio/other") == number
    assert disk.project(Path("/etc/passwd")) == before
