# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a registry has a tag, through each kind of login."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._images.registry import (
    RegistryClient,
    Response,
    auth_document,
    fetcher,
    login_of,
    repository,
    split_address,
)

DIGEST = "sha256:" + "a" * 64
BASIC = "Basic " + base64.b64encode(b"ana:word").decode()
BEARER = 'Bearer realm="https://auth.example/token",service="reg",scope="repository:mlops/redis:pull"'


class FakeRegistry:
    """Answers as a registry with one login and one tag; ``calls`` are the questions."""

    def __init__(
        self, challenge: str = "", wants: str = "", has: t.Container[str] = ("t1",), digest: bool = True
    ) -> None:
        self.challenge, self.wants, self.has, self.digest = challenge, wants, has, digest
        self.calls: list[tuple[str, str]] = []

    def __call__(self, method: str, url: str, headers: t.Mapping[str, str]) -> Response:
        self.calls.append((method, url))
        authorization = headers.get("Authorization", "")
        if url.startswith("https://auth.example/token"):
            good = authorization in (BASIC, "")
            return Response(200 if good else 401, {}, json.dumps({"token": f"for-{authorization or 'all'}"}).encode())
        if self.challenge and authorization != self.wants:
            return Response(401, {"www-authenticate": self.challenge})
        if url.rpartition("/")[2] not in self.has:
            return Response(404, {})
        return Response(
            200, {"docker-content-digest": DIGEST} if self.digest else {}, b"{}" if method == "GET" else b""
        )


def ask(fake: FakeRegistry, login: tuple[str, str] | None, tag: str = "t1") -> str | None:
    return RegistryClient("reg.example", fake, login).digest("mlops/redis", tag)


@pytest.mark.parametrize(
    ("fake", "login"),
    [
        (FakeRegistry(), None),
        (FakeRegistry('Basic realm="x"', BASIC), ("ana", "word")),
        (FakeRegistry(BEARER, f"Bearer for-{BASIC}"), ("ana", "word")),
        (FakeRegistry(BEARER, "Bearer for-all"), None),
    ],
)
def test_a_tag_is_found_through_each_login(fake: FakeRegistry, login: tuple[str, str] | None) -> None:
    assert ask(fake, login) == DIGEST
    assert ask(fake, login, "other") is None


def test_the_token_is_asked_for_this_repository() -> None:
    fake = FakeRegistry(BEARER, "Bearer for-all")
    ask(fake, None)
    assert fake.calls[1] == ("GET", "https://auth.example/token?service=reg&scope=repository%3Amlops%2Fredis%3Apull")


def test_a_registry_that_does_not_say_the_digest_is_asked_for_the_manifest() -> None:
    assert ask(FakeRegistry(digest=False), None) == "sha256:" + hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize(
    ("fake", "login", "message"),
    [
        (FakeRegistry('Basic realm="x"', BASIC), None, "reg.example wants a login"),
        (FakeRegistry('Basic realm="x"', BASIC), ("ana", "wrong"), "refuses mlops/redis to user ana"),
        (FakeRegistry(BEARER, "Bearer x"), ("ana", "wrong"), r"refused the login \(its token service answered 401\)"),
        (FakeRegistry(BEARER, "Bearer x"), None, r"refuses mlops/redis to nobody \(no login is given\)"),
    ],
)
def test_a_refused_login_is_said(fake: FakeRegistry, login: tuple[str, str] | None, message: str) -> None:
    with pytest.raises(ImagesError, match=message):
        ask(fake, login)


def test_other_answers_are_not_taken_for_absence() -> None:
    with pytest.raises(ImagesError, match="answered 500"):
        RegistryClient("reg.example", lambda *_: Response(500, {})).digest("a", "b")


def test_only_https_is_spoken() -> None:
    with pytest.raises(ImagesError, match="is not https"):
        fetcher(None)("GET", "http://127.0.0.1/", {})


def test_a_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(ImagesError, match=r"registry 127\.0\.0\.1:1 does not answer"):
        fetcher(None)("GET", "https://127.0.0.1:1/v2/", {})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("harbor.example.com/mlops", ("harbor.example.com", "mlops")),
        ("10.77.0.1:5000", ("10.77.0.1:5000", "")),
        ("h:443/a/b-c", ("h:443", "a/b-c")),
    ],
)
def test_addresses(address: str, expected: tuple[str, str]) -> None:
    assert split_address(address) == expected
    assert repository(address, "redis") == f"{expected[1]}/redis".lstrip("/")


@pytest.mark.parametrize("address", ["https://h/mlops", "h/Mlops", "h/", "", "h:x", "h/a b"])
def test_bad_addresses_are_refused(address: str) -> None:
    with pytest.raises(ImagesError, match="is not an address: give host"):
        split_address(address)


def test_logins_of_an_authfile() -> None:
    document = auth_document("h:5000", "ana", "wo:rd")
    assert login_of(document, "h:5000/mlops") == ("ana", "wo:rd")
    assert login_of(document, "other") is None
    full = json.dumps({"auths": {"h/mlops": {"auth": base64.b64encode(b"a:b").decode()}, "h": {"auth": "eDp5"}}})
    assert login_of(full, "h/mlops") == ("a", "b")
    assert login_of(full, "h/else") == ("x", "y")


@pytest.mark.parametrize("document", ["{", "[]", '{"auths": {"h": {"auth": "%%"}}}', '{"auths": {"h": 1}}'])
def test_a_file_without_logins_is_refused(document: str) -> None:
    with pytest.raises(ImagesError, match="authfile: it is not a JSON document with logins"):
        login_of(document, "h")
