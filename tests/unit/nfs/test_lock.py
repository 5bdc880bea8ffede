# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock that keeps runs on one storage server apart."""

from __future__ import annotations

import os
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs.apply import locked
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def holder(path: Path) -> t.Iterator[int]:
    """Another process that has the lock until it is told to go on; gives the end of the pipe that tells it."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with locked(str(path), 5, check=False):
            os.write(ready[1], b"x")
            os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    yield go[1]
    os.write(go[1], b"x")
    os.waitpid(child, 0)


@pytest.mark.parametrize("check", [False, True])
def test_a_second_run_gives_up_in_time(path: Path, holder: int, check: bool) -> None:
    assert holder
    with (
        pytest.raises(RefusedError, match=r"^lock_timeout: another run has held .*lock for 1 s"),
        locked(str(path), 1, check),
    ):
        pytest.fail("two runs had the lock")


@pytest.mark.parametrize("check", [False, True])
def test_a_second_run_that_waits_for_nobody_gives_up_at_once(path: Path, holder: int, check: bool) -> None:
    assert holder
    with (
        pytest.raises(RefusedError, match=r"^lock_timeout: another run holds .*lock; wait"),
        locked(str(path), 0, check),
    ):
        pytest.fail("two runs had the lock")


def test_nobody_to_wait_for(path: Path) -> None:
    with locked(str(path), 0, check=False):
        assert path.exists()


def test_a_negative_time_is_refused(path: Path) -> None:
    with pytest.raises(RefusedError, match=r"^lock_timeout: -1 is negative"), locked(str(path), -1, check=False):
        pytest.fail("it was accepted")
    assert not path.exists()


def test_a_second_run_waits(path: Path, holder: int) -> None:
    release = threading.Timer(0.2, os.write, (holder, b"x"))
    release.start()
    with locked(str(path), 30, check=False):
        release.join()
        assert not release.is_alive()


def test_check_mode_makes_no_file_and_shares_the_lock(path: Path) -> None:
    with locked(str(path), 1, check=True):
        assert not path.exists()
    with locked(str(path), 1, check=False):
        assert path.exists()
    with locked(str(path), 1, check=True), locked(str(path), 1, check=True):
        assert path.exists()
