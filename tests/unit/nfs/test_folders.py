# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders by opened directories: making, undoing, refusing, purging."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import folders
from ansible_collections.mlops.platform.plugins.module_utils._nfs.spec import Folder
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

UID, GID = os.getuid(), os.getgid()
needs_root = pytest.mark.skipif(UID != 0, reason="only root may chown and mount")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def fd(root: Path) -> t.Iterator[int]:
    opened = folders.open_root(str(root))
    yield opened
    os.close(opened)


def folder(path: str, mode: int = 0o711, uid: int = UID, gid: int = GID) -> Folder:
    return Folder(path, uid, gid, mode, "exports[0].path")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def take_back(undo: list[folders.Undo]) -> None:
    """The newest first."""
    for step in reversed(undo):
        step()


def test_a_folder_is_made_read_and_undone(root: Path, fd: int) -> None:
    assert folders.read_folder(fd, folder("a")) is None
    undo: list[folders.Undo] = []
    folders.ensure(fd, folder("a", 0o2750), undo)
    assert folders.read_folder(fd, folder("a")) == folder("a", 0o2750)
    take_back(undo)
    assert list(root.iterdir()) == []


def test_the_umask_does_not_count(root: Path, fd: int) -> None:
    before = os.umask(0o077)
    try:
        folders.ensure(fd, folder("a", 0o777), [])
    finally:
        os.umask(before)
    assert mode_of(root / "a") == 0o777


def test_a_changed_mode_is_undone(root: Path, fd: int) -> None:
    (root / "a").mkdir(mode=0o700)
    (root / "a" / "data").write_text("kept")
    undo: list[folders.Undo] = []
    folders.ensure(fd, folder("a", 0o755), undo)
    assert mode_of(root / "a") == 0o755
    take_back(undo)
    assert mode_of(root / "a") == 0o700
    assert (root / "a" / "data").read_text() == "kept"


@needs_root
def test_owners_are_set_and_undone_but_never_below(root: Path, fd: int) -> None:
    (root / "a" / "b").mkdir(parents=True)
    undo: list[folders.Undo] = []
    folders.ensure(fd, folder("a", uid=1000, gid=100), undo)
    assert ((root / "a").stat().st_uid, (root / "a").stat().st_gid) == (1000, 100)
    assert (root / "a" / "b").stat().st_uid == 0
    take_back(undo)
    assert (root / "a").stat().st_uid == 0


@pytest.mark.parametrize("path", ["link", "link/x", "file", "file/x"])
@pytest.mark.parametrize("act", [folders.read_folder, functools.partial(folders.ensure, undo=[])])
def test_a_link_or_file_in_the_way_is_refused(root: Path, fd: int, path: str, act: t.Callable[..., t.Any]) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file").write_text("")
    kind = "a symbolic link" if path.startswith("link") else "not a folder"
    with pytest.raises(RefusedError, match=rf"^exports\[0\]\.path: '{path.split('/')[0]}' is {kind}"):
        act(fd, folder(path))
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("kind", ["missing", "file", "link", "through a link"])
def test_a_wrong_root_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = tmp_path / {"through a link": "link/sub"}.get(kind, kind)
    with pytest.raises(RefusedError, match=r"^root: "):
        folders.open_root(str(path))


def test_purge_removes_everything_and_empty_parents(root: Path, fd: int) -> None:
    data = root / "c" / "minio" / "data"
    data.mkdir(parents=True)
    (data / "object").write_text("x")
    (data / "link").symlink_to("/etc")
    os.mkfifo(data / "pipe")
    (root / "keep").mkdir()
    folders.purge(fd, "c/minio")
    assert [path.name for path in root.iterdir()] == ["keep"]
    assert Path("/etc/passwd").exists()


def test_purge_keeps_parents_that_hold_something(root: Path, fd: int) -> None:
    (root / "c" / "minio").mkdir(parents=True)
    (root / "c" / "redis").mkdir()
    folders.purge(fd, "c/minio")
    assert [path.name for path in (root / "c").iterdir()] == ["redis"]
    folders.purge(fd, "c/minio")


def test_purge_reaches_any_depth_with_few_open_files(root: Path, fd: int) -> None:
    with contextlib.ExitStack() as stack:
        at = fd
        for _ in range(3000):
            os.mkdir("d", dir_fd=at)
            deeper = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
            if at != fd:
                os.close(at)
            at = deeper
        stack.callback(os.close, at)
    folders.purge(fd, "d")
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("path", ["", "/other", "x/../.."])
def test_purge_of_a_path_outside_the_root_is_refused(root: Path, fd: int, path: str) -> None:
    with pytest.raises(RefusedError, match=r"^purge_data: .* is not below the root"):
        folders.check_purge(str(root), fd, path or str(root))


def test_purge_of_a_link_is_refused(root: Path, fd: int) -> None:
    (root / "link").symlink_to("/etc")
    for act in (lambda: folders.check_purge(str(root), fd, f"{root}/link"), lambda: folders.purge(fd, "link")):
        with pytest.raises(RefusedError, match=r"^purge_data: 'link' is a symbolic link"):
            act()
    assert folders.check_purge(str(root), fd, f"{root}/nothing") is False


@needs_root
@pytest.mark.parametrize("point", ["c/minio", "c/minio/data/deep"])
def test_purge_of_or_over_a_mount_point_is_refused(root: Path, fd: int, point: str) -> None:
    (root / "c" / "minio" / "data" / "deep").mkdir(parents=True)
    (root / "c" / "minio" / "data" / "kept").write_text("x")
    source = root.parent / "source"
    source.mkdir()
    (source / "precious").write_text("x")
    # A bind mount has the same device number as the folder around it: only the mount itself tells.
    subprocess.run(["mount", "--bind", str(source), str(root / point)], check=True)
    try:
        with pytest.raises(RefusedError, match=r"^purge_data: .* is a mount point"):
            folders.check_purge(str(root), fd, f"{root}/c/minio")
        with pytest.raises(RefusedError, match=r"^purge_data: .* is a mount point"):
            folders.purge(fd, "c/minio")
        assert (source / "precious").exists()
    finally:
        subprocess.run(["umount", str(root / point)], check=True)
