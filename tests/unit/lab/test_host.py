"""What a machine has to offer."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import host
from ansible_collections.mlops.platform.plugins.module_utils._lab.host import GIB, Disk, Facts

MEMORY = 7 * GIB
STATE = Disk("/var/lib/mlops-lab", 10 * GIB, device=1, free=30 * GIB)
CACHE = Disk("/var/cache/mlops-lab", 15 * GIB, device=1, free=30 * GIB)
FIT = Facts(0, "x86_64", "debian", "12", 8 * GIB, nfs_client=True, disks=(STATE, CACHE))
# A listener on any address, one on 10.77.0.1, and a connection that is no listener.
TCP = """  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:1388 00000000:0000 0A 00000000:00000000
   1: 01004D0A:1F90 00000000:0000 0A 00000000:00000000
   2: 01004D0A:0050 02004D0A:C350 01 00000000:00000000
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A
"""


def test_a_fit_machine_has_no_problems() -> None:
    assert host.problems(FIT, MEMORY) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uid": 1000}, "run it as root"),
        ({"machine": "aarch64"}, "x86_64 only"),
        ({"distribution": "fedora", "release": "44"}, "fedora 44 is not supported: use Debian 12 or 13"),
        ({"memory": 4 * GIB}, "4.0 GiB of memory: the lab needs 7 GiB"),
        ({"disks": (STATE._replace(free=3 * GIB),)}, "3.0 GiB free below /var/lib/mlops-lab: a new lab needs 10 GiB"),
        ({"nfs_client": False}, "neither /dev/fuse nor the kernel's NFS client"),
        ({"taken": "0.0.0.0:5000"}, "another program listens on 0.0.0.0:5000"),
    ],
)
def test_each_problem_has_a_remedy(change: dict, message: str) -> None:
    found = host.problems(FIT._replace(**change), MEMORY)
    assert len(found) == 1
    assert message in found[0]


def test_all_problems_are_told_at_once() -> None:
    assert len(host.problems(FIT._replace(uid=1, memory=0, nfs_client=False), MEMORY)) == 3


def test_a_container_has_the_memory_that_it_may_use() -> None:
    assert host.usable(8 * GIB, ["", ""]) == 8 * GIB
    assert host.usable(8 * GIB, ["max\n", ""]) == 8 * GIB
    assert host.usable(8 * GIB, ["", "9223372036854771712\n"]) == 8 * GIB
    assert host.usable(8 * GIB, [f"{4 * GIB}\n"]) == 4 * GIB


def test_folders_of_one_file_system_share_its_space() -> None:
    together = [STATE._replace(free=20 * GIB), CACHE._replace(free=20 * GIB)]
    found = host.disk_problems(together)
    assert len(found) == 1
    assert "below /var/lib/mlops-lab and /var/cache/mlops-lab: a new lab needs 25 GiB" in found[0]
    assert host.disk_problems([together[0], together[1]._replace(device=2)]) == []


def test_what_is_there_already_needs_no_space() -> None:
    assert host.disk_problems([]) == []


def test_listeners_are_read() -> None:
    assert host.listeners(TCP) == {("0.0.0.0", 5000), ("10.77.0.1", 8080)}
    assert host.listeners(TCP6) == {("::", 22)}


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ("10.77.0.1:5000", "0.0.0.0:5000"),
        ("10.77.0.1:8080", "10.77.0.1:8080"),
        ("10.77.0.1:22", ":::22"),
        ("10.78.0.1:8080", None),
        ("10.77.0.1:80", None),
    ],
)
def test_a_taken_port_is_found(wanted: str, where: str | None) -> None:
    assert host.taken(wanted, host.listeners(TCP) | host.listeners(TCP6)) == where


def test_os_release_is_read() -> None:
    assert host.os_release('ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n') == ("debian", "12")
