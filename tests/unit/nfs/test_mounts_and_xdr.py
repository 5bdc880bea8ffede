# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kernel says of mounts, and the encoding of NFS."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import mounts, quota, xdr

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 254:16 / /bitnami rw,relatime shared:2 - xfs /dev/vdb rw,attr2,inode64,prjquota
31 22 254:32 / /srv/nfs rw,relatime,prjquota shared:3 - ext4 /dev/vdc rw,prjquota
32 30 0:50 / /bitnami/with\\040space rw - tmpfs none rw,prjquota
33 22 254:48 / /bit rw - xfs /dev/vdd rw
"""


@pytest.mark.parametrize(
    ("path", "mount", "kind", "counts"),
    [
        ("/", "/", "ext4", False),
        ("/bitnami", "/bitnami", "xfs", True),
        ("/bitnami/c/minio", "/bitnami", "xfs", True),
        ("/bitnamix", "/", "ext4", False),
        ("/bit/x", "/bit", "xfs", False),
        ("/srv/nfs/c", "/srv/nfs", "ext4", True),
        ("/bitnami/with space/x", "/bitnami/with space", "tmpfs", False),
    ],
)
def test_the_file_system_of_a_path(path: str, mount: str, kind: str, counts: bool) -> None:
    found = mounts.filesystem(path, MOUNTINFO)
    assert (found.mount, found.kind, found.quota) == (mount, kind, counts)


@pytest.mark.parametrize(
    ("kind", "advice"), [("ext4", "tune2fs"), ("xfs", "pquota"), ("btrfs", "XFS mounted with pquota")]
)
def test_the_remedy_fits_the_file_system(kind: str, advice: str) -> None:
    said = quota.remedy(mounts.Filesystem("/bitnami", kind, "/dev/vdb", False))
    assert said.startswith("quota: /bitnami (")
    assert advice in said


def test_a_real_mount_is_found() -> None:
    assert mounts.filesystem("/proc/self").kind == "proc"
    assert "/proc" in mounts.mount_points()


def test_xdr() -> None:
    data = xdr.u32(7) + xdr.u64(1 << 40) + xdr.opaque(b"abcde")
    assert len(data) == 4 + 8 + 12
    reader = xdr.Reader(data)
    assert (reader.u32(), reader.u64(), reader.opaque()) == (7, 1 << 40, b"abcde")
    with pytest.raises(ValueError, match="too early"):
        reader.u32()
    with pytest.raises(ValueError, match="too early"):
        xdr.Reader(xdr.u32(100)).opaque()
