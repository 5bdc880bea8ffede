"""Certificates of the lab."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from ansible_collections.mlops.platform.plugins.module_utils._lab import pki

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
LEAF = pki.Leaf("api", "kube-apiserver", "system:masters", ("kubernetes", "10.0.0.1"))


@pytest.fixture(scope="module")
def ca() -> tuple[bytes, bytes]:
    return pki.new_ca("lab", NOW)


@pytest.fixture(scope="module")
def cert(ca: tuple[bytes, bytes]) -> bytes:
    return pki.new_leaf(LEAF, *ca, NOW)[0]


def test_a_leaf_is_signed_by_the_ca_and_says_what_it_has_to(ca: tuple[bytes, bytes], cert: bytes) -> None:
    leaf = x509.load_pem_x509_certificate(cert)
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca[0]))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kubernetes"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]


def test_a_good_leaf_stays(ca: tuple[bytes, bytes], cert: bytes) -> None:
    assert pki.why_renew(cert, LEAF, ca[0], NOW) is None


@pytest.mark.parametrize(
    ("leaf", "days", "reason"),
    [
        (LEAF._replace(common_name="other"), 0, "other subject"),
        (LEAF._replace(organization=None), 0, "other subject"),
        (LEAF._replace(sans=("kubernetes",)), 0, "other names"),
        (LEAF, 3640, "expires soon"),
    ],
)
def test_why_a_leaf_is_made_again(ca: tuple[bytes, bytes], cert: bytes, leaf: pki.Leaf, days: int, reason: str) -> None:
    assert pki.why_renew(cert, leaf, ca[0], NOW + dt.timedelta(days=days)) == reason


def test_a_leaf_of_another_ca_is_made_again(cert: bytes) -> None:
    assert pki.why_renew(cert, LEAF, pki.new_ca("lab", NOW)[0], NOW) == "other CA"


def test_a_missing_leaf_is_made(ca: tuple[bytes, bytes]) -> None:
    assert pki.why_renew(None, LEAF, ca[0], NOW) == "missing"


def test_the_public_half_of_a_key_pair() -> None:
    assert pki.public_pem(pki.new_rsa_key()).startswith(b"-----BEGIN PUBLIC KEY-----")
