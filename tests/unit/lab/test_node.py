"""What a node needs of the host."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import node

MOUNTINFO = r"""21 1 0:20 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
22 1 0:21 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
30 1 8:1 /k /lab/kubelet rw shared:7 - ext4 /dev/a rw
31 30 0:40 / /lab/kubelet/pods/a\040b rw - tmpfs tmpfs rw
32 1 0:41 / /lab2 rw - tmpfs tmpfs rw
"""


def test_mounts_are_parsed() -> None:
    mounts = node.parse_mounts(MOUNTINFO)
    assert node.Mount("/lab/kubelet", True) in mounts
    assert node.Mount("/lab/kubelet/pods/a b", False) in mounts


def test_mounts_below_a_folder_come_newest_first_and_neighbours_do_not_count() -> None:
    assert node.below(node.parse_mounts(MOUNTINFO), ["/lab"]) == ["/lab/kubelet/pods/a b", "/lab/kubelet"]


def test_all_cgroup_hierarchies_are_found() -> None:
    assert node.hierarchies(MOUNTINFO) == ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"]


def test_cgroups_come_deepest_first(tmp_path: Path) -> None:
    (tmp_path / "lab" / "kubepods" / "pod1").mkdir(parents=True)
    top = str(tmp_path)
    assert node.cgroup_folders(top, "/lab") == [f"{top}/lab/kubepods/pod1", f"{top}/lab/kubepods", f"{top}/lab"]


def test_a_shim_is_known_by_its_arguments() -> None:
    shim = b"/usr/bin/containerd-shim-runc-v2\0-address\0/run/lab/a/containerd.sock\0"
    assert node.mentions(shim, ["/run/lab/a"])
    assert not node.mentions(shim, ["/run/lab/ab", "/run/la"])
    assert not node.mentions(b"", ["/run/lab/a"])
