# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which volumes an uninstallation may remove."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.volumes import removable


def volume(name: str, phase: str, storage_class: str = "mlops-minio", policy: str = "Retain") -> dict[str, t.Any]:
    spec = {"storageClassName": storage_class, "persistentVolumeReclaimPolicy": policy}
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("found", "goes"),
    [
        (volume("a", "Released"), True),
        (volume("a", "Failed"), True),
        (volume("a", "Bound"), False),
        (volume("a", "Available"), False),
        (volume("a", "Released", storage_class="other"), False),
        (volume("a", "Released", policy="Delete"), False),
        ({"metadata": {"name": "a"}, "spec": {}}, False),
    ],
)
def test_only_a_retained_volume_that_lost_its_claim_goes(found: dict[str, t.Any], goes: bool) -> None:
    assert bool(removable([found], ["mlops-minio"])) is goes


def test_they_are_named_in_order() -> None:
    found = removable([volume("b", "Released"), volume("a", "Released")], ["mlops-minio"])
    assert [item["metadata"]["name"] for item in found] == ["a", "b"]
