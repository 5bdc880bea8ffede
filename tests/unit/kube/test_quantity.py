"""Quantities."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.quantity import equal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1000m", "1"),
        ("1000m", 1),
        ("0.5", "500m"),
        (".5", "0.50"),
        ("1024Mi", "1Gi"),
        ("1024Ki", "1Mi"),
        ("1k", 1000),
        ("1e3", "1000"),
        ("1E3", "1k"),
        ("2147483648", "2Gi"),
        (2147483648, "2Gi"),
        ("1500u", "1.5m"),
        ("-1", "-1000m"),
        ("1.", 1),
        ("0", "0Gi"),
    ],
)
def test_equal(one: t.Any, other: t.Any) -> None:
    assert equal(one, other)
    assert equal(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1m"),
        ("1G", "1Gi"),
        ("1E", "1e"),
        ("", ""),
        ("one", "one"),
        (True, 1),
        (None, None),
        ("1Gi ", "1Gi"),
        ({}, {}),
    ],
)
def test_not_equal(one: t.Any, other: t.Any) -> None:
    assert not equal(one, other)
