# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import subprocess

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import procfs
from ansible_collections.mlops.platform.plugins.module_utils._lab.procfs import Identity

FIELDS = "S 1 42 42 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 987654 1000 10 18446744073709551615"


@pytest.mark.parametrize("command", ["sleep", "a b", "odd) S 9 (name", "((", "))"])
def test_stat_is_read_whatever_the_command_is_called(command: str) -> None:
    stat = procfs.parse_stat(f"4711 ({command}) {FIELDS}")
    assert stat == procfs.Stat(Identity(4711, 987654), "S", 42)


def test_another_start_time_is_another_process() -> None:
    stat = procfs.read_stat(os.getpid())
    assert stat is not None
    assert procfs.is_alive(stat.identity)
    assert not procfs.is_alive(Identity(stat.identity.pid, stat.identity.start_time - 1))


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen(["/bin/sleep", "1000"])
    stat = procfs.read_stat(child.pid)
    assert stat is not None
    child.kill()
    assert procfs.wait_all([stat.identity], 30) == []
    zombie = procfs.read_stat(child.pid)
    assert zombie is not None
    assert zombie.state == "Z"
    assert not procfs.is_alive(zombie.identity)
    child.wait()


def test_a_signal_does_not_reach_a_process_with_the_same_pid() -> None:
    child = subprocess.Popen(["/bin/sleep", "1000"])
    stat = procfs.read_stat(child.pid)
    assert stat is not None
    procfs.send([Identity(child.pid, stat.identity.start_time + 1)], signal.SIGKILL)
    procfs.send([stat.identity], signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM


def test_waiting_tells_who_is_left() -> None:
    child = subprocess.Popen(["/bin/sleep", "1000"])
    stat = procfs.read_stat(child.pid)
    assert stat is not None
    assert procfs.wait_all([stat.identity], 0) == [stat.identity]
    child.kill()
    child.wait()
    assert procfs.wait_all([stat.identity], 30) == []
