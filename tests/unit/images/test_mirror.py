# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published images are copied digest for digest, and a closed air gap stays closed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, mirror

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SOURCE = "up.example/sig-storage/nfsplugin:v4.13.4"


class FakeRegistry:
    """Has one digest, or nothing, for whatever is asked."""

    def __init__(self, digest: str | None) -> None:
        self._digest = digest
        self.asked: list[str] = []

    def digest(self, repository_name: str, reference: str) -> str | None:
        self.asked.append(f"{repository_name}:{reference}")
        return self._digest


def plan(spec: dict[str, t.Any], present: str | None, published: str | None) -> tuple[mirror.Copy, FakeRegistry]:
    source = FakeRegistry(published)
    target: t.Any = FakeRegistry(present)
    images = [mirror.mirrored_from(spec)]
    return mirror.plan(images, "reg/mlops", target, lambda _host: t.cast("t.Any", source))[0], source


@pytest.mark.parametrize(
    ("digest", "present", "published", "wanted", "needed", "asked"),
    [
        (None, None, NEW, NEW, True, 1),
        (None, OLD, NEW, OLD, False, 0),
        (NEW, NEW, None, NEW, False, 0),
        (NEW, OLD, None, NEW, True, 0),
        (NEW, None, None, NEW, True, 0),
    ],
)
def test_plan(digest: str, present: str, published: str, wanted: str, needed: bool, asked: int) -> None:
    copy, source = plan({"source": SOURCE, "digest": digest}, present, published)
    assert (copy.wanted, copy.needed, len(source.asked)) == (wanted, needed, asked)


def test_a_source_that_does_not_exist_is_named() -> None:
    with pytest.raises(ImagesError, match=r"up\.example/sig-storage/nfsplugin:v4\.13\.4 does not exist"):
        plan({"source": SOURCE}, None, None)


def test_the_copy_is_by_digest_and_keeps_it() -> None:
    copy, _source = plan({"source": SOURCE, "name": "csi/nfsplugin"}, None, NEW)
    assert mirror.command(copy, "reg/mlops", ["--src-x"], ["--dest-y"]) == [
        *("skopeo", "copy", "--all", "--preserve-digests", "--src-x", "--dest-y"),
        f"docker://up.example/sig-storage/nfsplugin@{NEW}",
        "docker://reg/mlops/csi/nfsplugin:v4.13.4",
    ]
    assert copy.result("reg/mlops")["pinned"] == f"reg/mlops/csi/nfsplugin@{NEW}"


@pytest.mark.parametrize(
    "spec",
    [
        {"source": "nfsplugin:v1"},
        {"source": "h/nfsplugin"},
        {"source": f"h/a@{NEW}"},
        {"source": SOURCE, "digest": "v1"},
    ],
)
def test_bad_input_is_refused(spec: dict[str, str]) -> None:
    with pytest.raises(ImagesError, match=r"^images: the (source|digest)"):
        mirror.mirrored_from(spec)
