"""What a machine has to offer."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import host
from ansible_collections.mlops.platform.plugins.module_utils._lab.host import GIB, Facts, Needs

NEEDS = Needs(memory=7 * GIB, disk=25 * GIB, disk_path="/var/lib")
FIT = Facts(0, "x86_64", "debian", "12", 8 * GIB, 30 * GIB, frozenset({"/dev/fuse"}))


def test_a_fit_machine_has_no_problems() -> None:
    assert host.problems(FIT, NEEDS) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uid": 1000}, "run it as root"),
        ({"machine": "aarch64"}, "x86_64 only"),
        ({"distribution": "fedora", "release": "44"}, "fedora 44 is not supported: use Debian 12 or 13"),
        ({"memory": 4 * GIB}, "4.0 GiB of memory: the lab needs 7 GiB"),
        ({"free_disk": 3 * GIB}, "3.0 GiB free below /var/lib: the lab needs 25 GiB"),
        ({"devices": frozenset()}, "/dev/fuse is missing"),
    ],
)
def test_each_problem_has_a_remedy(change: dict, message: str) -> None:
    found = host.problems(FIT._replace(**change), NEEDS)
    assert len(found) == 1
    assert message in found[0]


def test_all_problems_are_told_at_once() -> None:
    assert len(host.problems(FIT._replace(uid=1, memory=0, free_disk=0), NEEDS)) == 3


def test_os_release_is_read() -> None:
    assert host.os_release('ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n') == ("debian", "12")
