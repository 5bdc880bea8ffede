# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probe by a mount: programs stand for mount."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import probe


def target(seconds: float) -> probe.Target:
    return probe.Target("192.0.2.1", 2049, "/srv/x", "marker", seconds)


def runner(monkeypatch: pytest.MonkeyPatch, folder: Path, mount: str) -> t.Callable[..., tuple[int, str, str]]:
    """Runs what it is told, with a mount that is this script."""
    (folder / "mount").write_text(f"#!/bin/sh\n{mount}\n")
    (folder / "mount").chmod(0o755)
    (folder / "unshare").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (folder / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def run(words: t.Sequence[str]) -> tuple[int, str, str]:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_mount_that_hangs_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = runner(monkeypatch, tmp_path, "exec sleep 3600")
    with pytest.raises(probe.UnreachableError, match=r"^no answer within 0\.2 s"):
        probe.by_mount(target(0.2), run)


def test_a_mount_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = runner(monkeypatch, tmp_path, "echo mount: access denied >&2; exit 32")
    with pytest.raises(probe.UnreachableError, match="access denied"):
        probe.by_mount(target(30), run)


@pytest.mark.parametrize(("seconds", "minutes"), [(1, 1), (60, 1), (61, 2), (120, 2)])
def test_mount_tries_as_long_as_it_may(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: int, minutes: int
) -> None:
    """What mount is given lies in the file that is read then."""
    run = runner(monkeypatch, tmp_path, 'echo "$@" > "$6/marker"')
    monkeypatch.setattr("os.rmdir", lambda path: None)
    said = probe.by_mount(target(seconds), run).decode().split()
    assert said[:2] == ["-t", "nfs4"]
    assert f"retry={minutes}" in said[3].split(",")
    assert said[4:5] == ["192.0.2.1:/srv/x"]
