# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which server is taken, and what is said where none can be; the module that tells."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlops.platform.plugins.module_utils._nfs import server
from ansible_collections.mlops.platform.plugins.module_utils._nfs.apply import locked
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError
from ansible_collections.mlops.platform.plugins.modules import nfs_exports_info

from .runs import Runner, export
from .servers import KernelServer


def no_program(words: t.Sequence[str]) -> tuple[int, str, str]:
    return 127, "", f"{words[0]} is not installed"


def choose(monkeypatch: pytest.MonkeyPatch, running: list[str], installed: list[str], **more: t.Any) -> str:
    monkeypatch.setattr(server, "running", lambda run: running)
    monkeypatch.setattr(server, "installed", lambda: installed)
    return server.choose(more.pop("kind", "auto"), no_program, **more)


@pytest.mark.parametrize(
    ("running", "installed", "kind", "chosen"),
    [
        (["kernel"], ["kernel", "ganesha"], "auto", "kernel"),
        (["ganesha"], ["kernel", "ganesha"], "auto", "ganesha"),
        ([], ["ganesha"], "auto", "ganesha"),
        (["ganesha"], ["ganesha"], "kernel", "kernel"),
    ],
)
def test_the_one_that_runs_else_the_only_one(
    monkeypatch: pytest.MonkeyPatch, running: list[str], installed: list[str], kind: str, chosen: str
) -> None:
    assert choose(monkeypatch, running, installed, kind=kind) == chosen


@pytest.mark.parametrize(("running", "installed"), [(["kernel", "ganesha"], []), ([], ["kernel", "ganesha"])])
@pytest.mark.parametrize("check", [False, True])
def test_two_are_one_too_many(
    monkeypatch: pytest.MonkeyPatch, running: list[str], installed: list[str], check: bool
) -> None:
    with pytest.raises(RefusedError, match=r"^backend: kernel and ganesha are both here; name the one to use"):
        choose(monkeypatch, running, installed, check=check)


def test_none_is_refused_but_in_check_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match=r"^backend: this machine has no NFS server; run the role nfs_server"):
        choose(monkeypatch, [], [])
    monkeypatch.setattr(server, "kernel_available", lambda release: False)
    assert choose(monkeypatch, [], [], check=True) == "ganesha"


def info(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kernel: KernelServer) -> dict[str, t.Any]:
    monkeypatch.setattr(server, "make", lambda kind, run: kernel.backend())
    with patch_module_args({"backend": "kernel", "lock_timeout": 0}), pytest.raises(SystemExit):
        nfs_exports_info.main()
    return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out))


def test_what_is_told_of_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, root: Path
) -> None:
    kernel = KernelServer(tmp_path)
    Runner(kernel, root)(export())
    assert [one["in_force"] for one in info(monkeypatch, capsys, kernel)["names"][0]["exports"]] == [True]
    kernel.threads.write_text("0\n")
    assert [one["in_force"] for one in info(monkeypatch, capsys, kernel)["names"][0]["exports"]] == [False]


def test_without_the_rights_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*given: t.Any) -> t.NoReturn:
        raise PermissionError(1, "Operation not permitted", "/dev/vdb")

    monkeypatch.setattr(nfs_exports_info, "describe", refuse)
    kernel = KernelServer(tmp_path)
    kernel.folder.mkdir()
    (kernel.folder / "a.exports").write_text("")
    monkeypatch.setattr(nfs_exports_info, "names", lambda backend, only: [refuse()])
    said = info(monkeypatch, capsys, kernel)
    assert said["failed"]
    assert said["msg"] == "backend: /dev/vdb: Operation not permitted; run with become"


def test_nothing_is_told_in_the_middle_of_a_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lock = str(tmp_path / "lock")
    monkeypatch.setattr(nfs_exports_info, "LOCK", lock)
    with locked(lock, 0, check=False):
        said = info(monkeypatch, capsys, KernelServer(tmp_path))
    assert said["msg"] == f"lock_timeout: another run holds {lock}; wait for it and run again"
