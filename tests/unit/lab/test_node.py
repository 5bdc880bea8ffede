"""What a node needs of the host."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

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


def test_a_shim_is_known_by_its_arguments() -> None:
    shim = b"/usr/bin/containerd-shim-runc-v2\0-address\0/run/lab/a/containerd.sock\0"
    assert node.mentions(shim, ["/run/lab/a"])
    assert not node.mentions(shim, ["/run/lab/ab", "/run/la"])
    assert not node.mentions(b"", ["/run/lab/a"])


def test_a_new_cgroup_of_the_unified_hierarchy_gets_the_controllers_that_the_kubelet_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids rdma\n")
    written: list[str] = []
    # The kernel takes each write for itself; a file would keep the last one only.
    monkeypatch.setattr(Path, "write_text", lambda _path, text, encoding: written.append(text))
    node.hand_down(tmp_path)
    assert written == ["+cpu", "+cpuset", "+memory", "+pids"]


def test_a_controller_that_cannot_be_had_keeps_no_other_away(tmp_path: Path) -> None:
    node.hand_down(tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n")
    (tmp_path / "cgroup.subtree_control").mkdir()
    node.hand_down(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cgroup.controllers", "cgroup.subtree_control"]


@pytest.fixture
def places(tmp_path: Path) -> node.Places:
    """A host on which two nodes, one and two, have left things."""
    made = node.Places(*(tmp_path / name for name in ("links", "cni/results", "containerd", "kubelet")))
    for folder in (*made.parents(), tmp_path / "state"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("one", "two"):
        task = tmp_path / f"run/{name}/containerd/io.containerd.runtime.v2.task/k8s.io/id-{name}"
        task.mkdir(parents=True)
        (made.containerd / f"s/{name}").touch()
        (task / "address").write_text(f"unix://{made.containerd}/s/{name}")
        (made.containerd / f"runc/k8s.io/id-{name}").mkdir()
        (made.results / f"lab-{name}-id-{name}-eth0").touch()
        (made.results / f"cni-loopback-id-{name}-lo").touch()
        (made.links / f"{name}.log").symlink_to(tmp_path / f"run/{name}/log")
    return made


def test_what_a_node_leaves_elsewhere_is_found_and_that_of_another_is_not(places: node.Places, tmp_path: Path) -> None:
    found = node.traces([str(tmp_path / "run/one")], "lab-one", places)
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "cni/results/cni-loopback-id-one-lo",
        "cni/results/lab-one-id-one-eth0",
        "links/one.log",
        "containerd/s/one",
        "containerd/runc/k8s.io/id-one",
    ]


def test_the_kubelets_socket_goes_once_nobody_listens(
    places: node.Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The path of a socket may have 107 characters only.
    monkeypatch.chdir(places.kubelet)
    short = places._replace(kubelet=Path(os.curdir))
    device = short.kubelet / "device-plugins/kubelet.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(device))
        listener.listen()
        assert device not in node.traces([], "none", short)
    assert node.traces([], "none", short) == [device]
