"""Passwords as PostgreSQL keeps them."""

from __future__ import annotations

from ansible_collections.mlops.platform.plugins.module_utils._postgresql.scram import matches, verifier

# What PostgreSQL stored for the password of this test.
SALT, KEYS = (
    "tJp6JwWBx6FRIi2M0A7Yfw==",
    "xMADyN2f64Jqe3KQlxNMWAOnJ2oHiN4d6KhixSz5Ols=:2dUVqMM0Sysgth9hXMECwo0ILqoRGpfwviZXzkWTPYw=",
)


def test_what_postgresql_stored_matches() -> None:
    assert matches("pencil-and-paper", f"SCRAM-SHA-256$4096:{SALT}${KEYS}")


def test_a_verifier_matches_its_password_only() -> None:
    stored = verifier("a password of mine")
    assert matches("a password of mine", stored)
    assert not matches("a password of mind", stored)


def test_two_verifiers_of_one_password_differ() -> None:
    assert verifier("a password of mine") != verifier("a password of mine")


def test_other_hashes_and_none_are_other_passwords() -> None:
    for stored in (None, "", "md5a3556571e93b0d20722ba62be61e8c2d", "SCRAM-SHA-256$4096:not base64$a:b"):
        assert not matches("a password of mine", stored)
