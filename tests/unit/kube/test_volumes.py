# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which volumes an uninstallation may remove."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.volumes import is_unclaimed, retained

CLAIM = {"namespace": "mlops", "name": "minio-data", "uid": "1"}


def volume(
    name: str,
    phase: str,
    storage_class: str = "mlops-minio",
    policy: str = "Retain",
    claim: t.Mapping[str, str] | None = None,
) -> dict[str, t.Any]:
    spec = {"storageClassName": storage_class, "persistentVolumeReclaimPolicy": policy, "claimRef": claim}
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("found", "goes"),
    [
        (volume("a", "Bound"), True),
        (volume("a", "Bound", storage_class="other"), False),
        (volume("a", "Bound", policy="Delete"), False),
        ({"metadata": {"name": "a"}, "spec": {}}, False),
    ],
)
def test_only_a_volume_whose_removal_keeps_the_data_is_looked_at(found: dict[str, t.Any], goes: bool) -> None:
    assert bool(retained([found], ["mlops-minio"])) is goes


def test_they_are_named_in_order() -> None:
    found = retained([volume("b", "Released"), volume("a", "Released")], ["mlops-minio"])
    assert [item["metadata"]["name"] for item in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("phase", "claim", "living", "goes"),
    [
        ("Released", CLAIM, None, True),
        ("Failed", CLAIM, None, True),
        ("Bound", CLAIM, "1", False),
        ("Bound", CLAIM, None, True),
        ("Bound", CLAIM, "2", True),
        ("Pending", CLAIM, None, True),
        ("Pending", CLAIM, "1", False),
        ("Pending", None, None, False),
        ("Available", {"namespace": "mlops", "name": "minio-data"}, None, False),
    ],
)
def test_a_volume_goes_when_its_very_claim_is_gone_whatever_the_cluster_says_yet(
    phase: str, claim: t.Mapping[str, str] | None, living: str | None, goes: bool
) -> None:
    def find(namespace: str, name: str) -> dict[str, t.Any] | None:
        assert (namespace, name) == ("mlops", "minio-data")
        return {"metadata": {"uid": living}} if living else None

    assert is_unclaimed(volume("a", phase, claim=claim), find) is goes
