# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What others break, what clients swap, and what is in force after a failure."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import apply, backend, folders
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

from .runs import CHANGED, Runner, everything, export
from .servers import GaneshaServer, KernelServer, Server


@pytest.fixture
def kernel(tmp_path: Path) -> KernelServer:
    return KernelServer(tmp_path)


def test_a_broken_export_of_others_is_a_warning(kernel: KernelServer, root: Path) -> None:
    run = Runner(kernel, root)
    kernel.main.write_text("/nowhere/at/all 10.0.0.1(rw)\n")
    assert run(export())["changed"]
    assert kernel.in_force()[f"{root}/c/minio"] == {"10.0.0.0/24"}
    assert len(run.warnings) == 1
    assert run.warnings[0].startswith("backend: exportfs -ra ended with 1 because of exports of others: ")
    assert "/nowhere/at/all" in run.warnings[0]
    assert run(export())["changed"] is False


def test_a_complaint_about_an_own_path_is_a_failure(kernel: KernelServer, root: Path) -> None:
    run = Runner(kernel, root)
    run(export("c/redis"))
    state = everything(kernel, root)

    def complain(call: str) -> tuple[int, str, str] | None:
        if "-ra" not in call or kernel.calls.count(call) > 1:
            return None
        kernel.export_all()
        return 1, "", f"exportfs: Failed to stat {root}/c/minio: Input/output error"

    kernel.calls.clear()
    kernel.fault = complain
    with pytest.raises(RefusedError, match=r"^backend: exportfs -ra failed: .*minio.*; the old exports are in force$"):
        run(export("c/redis"), export())
    assert everything(kernel, root) == state


def test_an_exportfs_that_keeps_failing(kernel: KernelServer, root: Path) -> None:
    run = Runner(kernel, root)
    run(export("c/redis"))
    state = everything(kernel, root)
    kernel.fault = lambda call: (1, "", "injected") if "-ra" in call else None
    for _ in range(2):
        with pytest.raises(RefusedError, match=r"^backend: .*injected.*; the old exports are in force$"):
            run(*CHANGED)
        assert everything(kernel, root) == state


def test_what_is_in_force_after_a_failure_is_looked_at(kernel: KernelServer, root: Path) -> None:
    """The new exports come into force, the server forgets one, and does not go back."""
    run = Runner(kernel, root)
    run(export("c/redis"))

    def half(call: str) -> tuple[int, str, str] | None:
        if "-ra" not in call:
            return None
        if kernel.calls.count(call) == 1:
            kernel.export_all()
            kernel.table = "".join(line for line in kernel.table.splitlines(keepends=True) if "c/a/b" not in line)
        return 1, "", "injected"

    kernel.calls.clear()
    kernel.fault = half
    with pytest.raises(RefusedError, match=rf"; the old exports are not in force: .*{root}/c/redis is not exported"):
        run(*CHANGED)


def test_a_server_that_is_gone_after_a_failure(run: Runner, server: Server) -> None:
    def gone(call: str) -> tuple[int, str, str] | None:
        return (1, "", "injected") if server.mutating() else None

    server.fault = gone
    with pytest.raises(RefusedError, match=r"; what is exported now is not known \(.*injected.*\); run again"):
        run(export())


def test_a_server_that_does_not_go_back(root: Path, tmp_path: Path) -> None:
    """NFS-Ganesha refuses the second change and every way back."""
    server = GaneshaServer(tmp_path)
    run = Runner(server, root)
    run(export())
    server.calls.clear()
    server.fault = lambda call: (1, "", "injected") if call in server.mutating()[1:] else None
    with pytest.raises(RefusedError, match=rf"injected; the old exports are not in force: {root}/c/minio is exported"):
        run(export(clients=["10.1.0.0/24"]), export("c/redis"))


def test_a_link_that_a_client_swaps_in_changes_nothing(
    run: Runner, server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(export(mode="0755"), export("c/redis"))
    (root / "elsewhere").mkdir()
    state = everything(server, root)
    ensure = folders.ensure

    def swap(fd: int, folder: t.Any, undo: list[folders.Undo]) -> None:
        if folder.path == "c/redis":
            (root / "c/redis").rename(root / "c/moved")
            (root / "c/redis").symlink_to(root / "elsewhere")
        ensure(fd, folder, undo)

    with monkeypatch.context() as patch:
        patch.setattr(apply, "ensure", swap)
        with pytest.raises(RefusedError, match=r"redis' is a symbolic link; .*; the old exports are in force$"):
            run(export(mode="0700"), export("c/new"), export("c/redis", mode="0750"))
    (root / "c/redis").unlink()
    (root / "c/moved").rename(root / "c/redis")
    assert everything(server, root) == state


def test_an_interrupted_run_takes_everything_back(
    run: Runner, server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(export())
    state = everything(server, root)

    def stop(call: str) -> None:
        if call in server.mutating() and len(server.mutating()) == 1:
            raise KeyboardInterrupt

    server.calls.clear()
    server.fault = stop
    with pytest.raises(KeyboardInterrupt):
        run(*CHANGED)
    server.fault = lambda call: None
    assert everything(server, root) == state


def test_a_folder_that_cannot_be_given_away_is_not_left_behind(
    run: Runner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, uid: int, gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fchown", refuse)
        with pytest.raises(RefusedError, match=r"^root: .*run with become"):
            run(export())
    assert list(root.iterdir()) == []


def test_folders_in_an_export_of_another_name_are_its_own_affair(run: Runner, server: Server, root: Path) -> None:
    run(export(mode="0700"))
    (root / "c/minio").chmod(0o700)
    done = run(export("c/minio/shared"), name="prod02", identity="https://b")
    assert not any("change folder" in line for line in done["changes"])
    assert (root / "c/minio").stat().st_mode & 0o777 == 0o700
    assert run(export(mode="0700"))["changed"] is False
    assert run(export("c/minio/x/y"), name="prod03")["changed"]
    assert (root / "c/minio/x/y").is_dir()
    assert run(export("c/minio/x/y"), name="prod03")["changed"] is False


@pytest.mark.parametrize("path", ['c/with"quote', "c/with#hash", "c/with space", "c/back\\slash", "c/ünï"])
def test_unusual_paths_work_or_are_refused(run: Runner, server: Server, root: Path, path: str) -> None:
    if isinstance(server, GaneshaServer) and set(path) & {'"', "\\"}:
        with pytest.raises(RefusedError, match=r"^exports\[0\]\.path: "):
            run(export(path))
        return
    run(export(path))
    assert server.in_force() == {f"{root}/{path}": {"10.0.0.0/24"}}
    assert run(export(path))["changed"] is False
    run(state="absent")
    assert server.in_force() == {}


def test_options_that_are_the_default_anyway(kernel: KernelServer, root: Path) -> None:
    run = Runner(kernel, root)
    wish = export(options=["wdelay", "hide", "no_all_squash", "sec=sys", "no_subtree_check"])
    assert run(wish)["changed"]
    assert run(wish)["changed"] is False


def test_a_file_that_would_mean_something_else_is_refused(
    run: Runner, server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a character were not escaped."""
    render = type(server.backend()).render
    monkeypatch.setattr(
        type(server.backend()), "render", lambda *given: render(*given).replace("10.0.0.0/24", "10.0.0.0/8")
    )
    for check in (True, False):
        with pytest.raises(RefusedError, match=r"^exports\[0\]\.path: '.*c/minio' cannot be written in the server"):
            run(export(), check=check)
    assert server.mutating() == []
    assert list(root.iterdir()) == []


def test_a_host_that_is_not_known_is_refused_by_its_field(run: Runner, server: Server, root: Path) -> None:
    server.addresses = {"known.example.com": "10.0.0.1"}
    with pytest.raises(RefusedError, match=r"^exports\[1\]\.clients\[1\]: 'typo\.example\.com' is not known"):
        run(export(), export("c/redis", clients=["known.example.com", "typo.example.com"]))
    assert server.mutating() == []
    assert list(root.iterdir()) == []
    assert run(export(clients=["known.example.com", "*.example.com", "@nodes"]))["changed"]


def test_hosts_under_their_canonical_names(kernel: KernelServer, root: Path) -> None:
    kernel.addresses = {"a": "10.0.0.1", "a.example.com": "10.0.0.1", "b": "10.0.0.2", "b.example.com": "10.0.0.9"}
    kernel.canonical = {"a": "a.example.com", "b": "b.example.com"}
    run = Runner(kernel, root)
    both = export(clients=["a", "b"])
    run(both)
    assert run(both)["changed"] is False
    kernel.table = "".join(line for line in kernel.table.splitlines(keepends=True) if "b.example" not in line)
    assert run(both, check=True)["changes"] == [f"re-export {root}/c/minio ({root}/c/minio is not exported to b)"]


@pytest.mark.parametrize("threads", ["0\n", None])
def test_a_kernel_whose_nfsd_does_not_run(kernel: KernelServer, root: Path, threads: str | None) -> None:
    run = Runner(kernel, root)
    run(export())
    kernel.threads.unlink() if threads is None else kernel.threads.write_text(threads)
    with pytest.raises(RefusedError, match=r"^backend: nfsd does not run; start nfs-server"):
        run(export(mode="0750"))
    assert run(export(), check=True)["changed"]
    assert run.warnings[-1].startswith("backend: nfsd does not run")
    assert kernel.backend().live() == set()


def test_what_a_killed_run_left_is_removed_under_the_lock(run: Runner, server: Server, root: Path) -> None:
    run(export())
    staging = Path(server.backend().staging)
    left = Path(backend.stage("half", str(staging)))
    run(export(), check=True)
    assert left.exists()
    assert run(export())["changed"] is False
    assert not left.exists()
