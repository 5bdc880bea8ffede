# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module from its parameters to the files and the server, with both kinds of server and with faults."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

from .runs import CHANGED, Result, Runner, everything, export
from .servers import GaneshaServer, KernelServer, Server

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")


def twelve(run: Runner, server: Server, root: Path, *exports: dict[str, t.Any], **changes: t.Any) -> Result:
    """Check, real, check again, real again; the plan of the check is that of the real run."""
    server.calls.clear()
    before = everything(server, root)
    planned = run(*exports, check=True, **changes)
    assert planned["changed"]
    assert everything(server, root) == before
    assert server.mutating() == []
    done = run(*exports, **changes)
    assert {key: done[key] for key in ("changed", "changes", "diff")} == {
        key: planned[key] for key in ("changed", "changes", "diff")
    }
    after = everything(server, root)
    assert after != before
    server.calls.clear()
    for check in (True, False):
        again = run(*exports, check=check, **changes)
        assert (again["changed"], again["changes"]) == (False, [])
        assert again["diff"]["before"] == again["diff"]["after"]
    assert everything(server, root) == after
    assert server.mutating() == []
    return done


def test_create_change_delete(run: Runner, server: Server, root: Path) -> None:
    path = f"{root}/c/minio"
    made = twelve(run, server, root, export(directories=[{"path": "sub", "owner": None, "group": None, "mode": None}]))
    assert (root / "c/minio/sub").is_dir()
    assert server.in_force() == {path: {"10.0.0.0/24"}}
    assert any("minio/sub" in line for line in made["changes"])
    changed = twelve(
        run, server, root, export(clients=["10.0.0.0/24", "2001:db8::/64"], mode="0750"), export("c/redis")
    )
    assert server.in_force() == {path: {"10.0.0.0/24", "2001:db8::/64"}, f"{root}/c/redis": {"10.0.0.0/24"}}
    assert "+" not in changed["diff"]["before"]
    twelve(run, server, root, state="absent")
    assert server.in_force() == {}
    assert not server.file("prod01").exists()
    assert (root / "c/minio/sub").is_dir()


def test_a_removed_entry_is_not_exported_and_keeps_its_data(run: Runner, server: Server, root: Path) -> None:
    run(export(), export("c/redis"))
    (root / "c/redis/dump").write_text("x")
    assert run(export())["changes"] == [f"un-export {root}/c/redis"]
    assert server.in_force() == {f"{root}/c/minio": {"10.0.0.0/24"}}
    assert (root / "c/redis/dump").read_text() == "x"


def test_others_are_left_alone(run: Runner, server: Server, root: Path) -> None:
    run(export("d/minio"), name="prod02", identity="https://b")
    server.calls.clear()
    kept = server.file("prod02").read_text()
    run(export())
    run(state="absent")
    assert server.file("prod02").read_text() == kept
    assert server.in_force() == {f"{root}/d/minio": {"10.0.0.0/24"}}
    if isinstance(server, GaneshaServer):
        other = next(number for number in server.live)
        assert not any(str(other) in call for call in server.mutating())


def test_ids_stay_and_are_unique(root: Path, tmp_path: Path) -> None:
    server = GaneshaServer(tmp_path)
    run = Runner(server, root)
    first = {one["path"]: one["export_id"] for one in run(export(), export("c/redis"))["exports"]}
    again = {one["path"]: one["export_id"] for one in run(export("c/ray"), export("c/redis"), export())["exports"]}
    assert {path: again[path] for path in first} == first
    run(state="absent")
    assert {one["path"]: one["export_id"] for one in run(export())["exports"]}.items() <= first.items()
    other = run(export("d/minio"), name="prod02")["exports"][0]["export_id"]
    assert other not in again.values()


def test_only_what_differs_is_touched(root: Path, tmp_path: Path) -> None:
    server = GaneshaServer(tmp_path)
    run = Runner(server, root)
    run(export(), export("c/redis"))
    server.calls.clear()
    run(export(), export("c/redis", clients=["10.1.0.0/24"]))
    assert len(server.mutating()) == 1


@pytest.mark.parametrize("loss", ["an export", "a client"])
def test_what_is_not_in_force_is_put_in_force(run: Runner, server: Server, root: Path, loss: str) -> None:
    run(export(), export("c/redis"))
    if isinstance(server, KernelServer):
        lines = server.table.splitlines(keepends=True)
        server.table = lines[-1] if loss == "an export" else server.table.replace("10.0.0.0/24", "10.9.0.0/24")
    elif isinstance(server, GaneshaServer):
        live = server.live
        number, block = next(iter(live.items()))
        block.blocks[0].values["clients"] = ["10.9.0.0/24"]
        server.live = {**live, number: block} if loss == "a client" else {n: b for n, b in live.items() if n != number}
    server.calls.clear()
    twelve_changes = run(export(), export("c/redis"), check=True)["changes"]
    assert any(line.startswith("re-export") for line in twelve_changes)
    run(export(), export("c/redis"))
    assert server.in_force() == {f"{root}/c/minio": {"10.0.0.0/24"}, f"{root}/c/redis": {"10.0.0.0/24"}}
    assert run(export(), export("c/redis"))["changed"] is False


@pytest.mark.parametrize("before", [(), (export(), export("c/redis"))])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_refusing_server_leaves_everything_as_it_was(
    run: Runner, server: Server, root: Path, before: tuple[dict[str, t.Any], ...], after: int
) -> None:
    if before:
        run(*before)
    state = everything(server, root)
    once = isinstance(server, KernelServer)
    if once:
        answers = [(1, "", "injected")]
        server.fault = lambda call: answers.pop() if "-ra" in call and answers else None
    else:
        count = [after]

        def fault(call: str) -> tuple[int, str, str] | None:
            if "AddExport" not in call and "UpdateExport" not in call:
                return None
            count[0] -= 1
            return (1, "", "injected") if count[0] == -1 else None

        server.fault = fault
    with pytest.raises(RefusedError, match=r"^backend: .*injected.*the old exports are in force"):
        run(*CHANGED)
    assert everything(server, root) == state
    server.fault = lambda call: None
    assert run(*CHANGED)["changed"]


def test_a_server_that_says_yes_and_does_not_is_caught(run: Runner, server: Server, root: Path) -> None:
    run(export())
    state = everything(server, root)
    answers = [(0, "", ""), (0, "", "")]
    server.fault = lambda call: answers.pop() if ("-ra" in call or "AddEx" in call) and answers else None
    with pytest.raises(RefusedError, match=r"^backend: .*is not exported"):
        run(export(), export("c/redis"))
    server.fault = lambda call: None
    assert everything(server, root) == state


def killed(run: Runner, server: Server, calls: int) -> bool:
    """Run in a process that dies instead of its call of that number; whether it came so far."""
    child = os.fork()
    if child == 0:
        server.calls.clear()
        server.fault = lambda call: os._exit(9) if len(server.calls) > calls else None
        run(*CHANGED)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_killed_run_keeps_the_old_exports_and_is_finished_by_the_next(
    run: Runner, server: Server, root: Path
) -> None:
    old = {f"{root}/c/minio", f"{root}/c/redis"}
    new = {f"{root}/{path}" for path in ("c/minio", "c/ray", "c/a/b")}
    seen = []
    for calls in range(100):
        run(export(), export("c/redis"))
        if not killed(run, server, calls):
            break
        seen.append(set(server.in_force()))
        assert old <= seen[-1] or seen[-1] == new
        run(*CHANGED)
        assert set(server.in_force()) == new
        assert run(*CHANGED)["changed"] is False
        leftovers = [path.name for path in server.folder.parent.glob("**/.nfs_exports*")]
        assert leftovers == []
    assert old in seen
    assert new in seen


@needs_root
@pytest.mark.parametrize("where", ["drop-ins", "root"])
@pytest.mark.parametrize("options", ["size=64k", "nr_inodes=4", "ro"])
def test_a_full_or_read_only_disk_changes_nothing(tmp_path: Path, where: str, options: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
    try:
        base = disk if where == "drop-ins" else tmp_path
        root = (tmp_path if where == "drop-ins" else disk) / "root"
        root.mkdir()
        server = KernelServer(base)
        run = Runner(server, root)
        run(export())
        state = everything(server, root)
        fill(disk, options)
        field = "backend" if where == "drop-ins" else "root"
        with pytest.raises(RefusedError, match=rf"^{field}: .*{disk}.*(full|read-only)"):
            run(export(), *[export(f"c/{n}/{n}") for n in range(9)])
        (disk / "filler").unlink(missing_ok=True) if options != "ro" else None
        assert everything(server, root) == state
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path, options: str) -> None:
    """Use up the disk, or all but one of its inodes, or make it read-only."""
    if options.startswith("size"):
        with pytest.raises(OSError, match="No space"):
            (disk / "filler").write_bytes(bytes(2 << 20))
    used = os.statvfs(disk)
    inodes = f"nr_inodes={used.f_files - used.f_ffree + 1}"
    wish = {"ro": "remount,ro", "nr_inodes=4": f"remount,{inodes}"}.get(options)
    if wish:
        subprocess.run(["mount", "-o", wish, str(disk)], check=True)


@pytest.mark.parametrize("left", [(export(),), ()])
def test_an_export_that_outlived_its_file_is_removed(
    run: Runner, server: Server, root: Path, left: tuple[dict[str, t.Any], ...]
) -> None:
    run(export("d/minio"), name="prod02")
    run(export(), export("c/redis"))
    gone = [f"{root}/c/redis"] if left else [f"{root}/c/minio", f"{root}/c/redis"]
    texts = {path: path.read_text() for path in server.folder.iterdir()}
    run(*left, **({} if left else {"state": "absent"}))
    new = {path: path.read_text() for path in server.folder.iterdir()}
    for path, text in texts.items():
        path.write_text(text)
    run(export(), export("c/redis"))
    # As after a kill between the new file and exportfs: the file is new, what is in force is old.
    for path in texts:
        path.unlink()
    for path, text in new.items():
        path.write_text(text)
    assert run(*left, **({} if left else {"state": "absent"}))["changes"] == [f"un-export {path}" for path in gone]
    assert set(server.in_force()) == {f"{root}/d/minio", *([f"{root}/c/minio"] if left else [])}


def test_purging_needs_the_name_again(run: Runner, server: Server, root: Path) -> None:
    run(export())
    for confirm in (None, "", "prod02"):
        with pytest.raises(RefusedError, match=r"^confirm: to delete data set it to the name, 'prod01'"):
            run(state="absent", purge_data=True, confirm=confirm)
    assert server.in_force()
    assert (root / "c/minio").is_dir()


def test_purging(run: Runner, server: Server, root: Path) -> None:
    run(export(), export("c/redis"))
    (root / "c/minio/data").mkdir()
    purged = twelve(run, server, root, export("c/redis"), purge_data=True, confirm="prod01")
    assert purged["changes"] == [f"un-export {root}/c/minio", f"delete the data in {root}/c/minio"]
    assert not (root / "c/minio").exists()
    twelve(run, server, root, state="absent", purge_data=True, confirm="prod01")
    assert list(root.iterdir()) == []
    assert not server.file("prod01").exists()


def test_purging_after_the_exports_went(run: Runner, server: Server, root: Path) -> None:
    run(export())
    run(state="absent")
    assert run(export(), state="absent", purge_data=True, confirm="prod01")["changed"]
    assert list(root.iterdir()) == []


def test_purging_spares_what_others_export(run: Runner, server: Server, root: Path) -> None:
    run(export())
    run(export("c/minio/shared"), name="prod02")
    with pytest.raises(RefusedError, match=r"^purge_data: .*c/minio/shared', exported by 'prod02'"):
        run(state="absent", purge_data=True, confirm="prod01")
    assert set(server.in_force()) == {f"{root}/c/minio", f"{root}/c/minio/shared"}


def test_purging_a_link_changes_nothing(run: Runner, server: Server, root: Path) -> None:
    run(export())
    (root / "c/minio").rmdir()
    (root / "elsewhere").mkdir()
    (root / "c/minio").symlink_to(root / "elsewhere")
    state = everything(server, root)
    with pytest.raises(RefusedError, match=r"^purge_data: 'c/minio' is a symbolic link"):
        run(state="absent", purge_data=True, confirm="prod01")
    assert everything(server, root) == state


def test_a_killed_purge_is_finished_by_the_next(
    run: Runner, server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(export(), export("c/redis"))
    with monkeypatch.context() as patch:
        patch.setattr("ansible_collections.mlops.platform.plugins.module_utils._nfs.apply.purge", stop)
        with pytest.raises(KeyboardInterrupt):
            run(state="absent", purge_data=True, confirm="prod01")
    assert server.in_force() == {}
    assert (root / "c/minio").is_dir()
    assert run(state="absent", purge_data=True, confirm="prod01")["changed"]
    assert list(root.iterdir()) == []
    assert not server.file("prod01").exists()


def stop(*arguments: object) -> t.NoReturn:
    """Stands for a kill."""
    raise KeyboardInterrupt


def test_another_cluster_under_the_same_name_is_refused(run: Runner, server: Server, root: Path) -> None:
    run(export())
    state = everything(server, root)
    for changes in ({"identity": "https://b"}, {"environment": "test"}):
        for more in ({}, {"state": "absent"}, {"check": True}):
            with pytest.raises(RefusedError, match=r"^name: 'prod01' on the storage server belongs to"):
                run(export(), **changes, **more)
    assert everything(server, root) == state
    assert run(export(), identity="https://b", previous_identity="https://a")["changed"]
    assert run(export(), identity="https://b")["changed"] is False


def test_a_missing_root_is_planned_in_check_mode_only(server: Server, tmp_path: Path) -> None:
    run = Runner(server, tmp_path / "none")
    assert run(export(), check=True)["changed"]
    assert run.warnings[0].startswith("root: ")
    with pytest.raises(RefusedError, match=r"^root: .* does not exist"):
        run(export())
    assert run(state="absent")["changed"] is False


def test_a_disk_that_is_not_mounted(run: Runner, server: Server, root: Path) -> None:
    with pytest.raises(RefusedError, match=rf"^mountpoint: nothing is mounted on '{root}'"):
        run(export(), mountpoint=str(root))
    with pytest.raises(RefusedError, match=r"^mountpoint: .* does not lie on"):
        run(export(), mountpoint="/proc")
    assert list(root.iterdir()) == []


def test_quota_without_a_counting_file_system_is_a_warning(run: Runner) -> None:
    assert run(export(quota="1Gi"))["exports"][0]["project"] == 0
    assert len(run.warnings) == 1
    assert run.warnings[0].startswith("quota: ")


def test_a_server_that_is_not_ready(run: Runner, server: Server, root: Path) -> None:
    server.fault = lambda call: (1, "", "down")
    with pytest.raises(RefusedError, match=r"^backend: .*down"):
        run(export())
    assert list(root.iterdir()) == []
    assert run(export(), check=True)["changed"]
    assert "down" in run.warnings[0]


def test_a_configuration_that_does_not_load_our_files(root: Path, tmp_path: Path) -> None:
    server = GaneshaServer(tmp_path)
    server.main.write_text("NFS_CORE_PARAM { Protocols = 4; }\n")
    with pytest.raises(RefusedError, match=r"^backend: .*main lacks the line '%dir"):
        Runner(server, root)(export())


def test_broken_files_of_others_are_named(run: Runner, server: Server, root: Path) -> None:
    run(export())
    server.file("other").write_text('"/x h(rw)\n' if isinstance(server, KernelServer) else "EXPORT {\n")
    with pytest.raises(RefusedError, match=r"other\.(exports|conf)"):
        run(export("c/redis"))
