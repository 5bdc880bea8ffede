# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A container registry: its address, its login, and whether it has a tag (the distribution HTTP API)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ADDRESS = re.compile(r"^(?P<host>[A-Za-z0-9.-]+(?::[0-9]+)?)(?:/(?P<prefix>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*))?$")
CHALLENGE_FIELD = re.compile(r'(\w+)="([^"]*)"')
TIMEOUT = 30


@dataclass(frozen=True)
class Response:
    """Status, headers by lower-case name, and body of one answer."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes = b""


Fetch = t.Callable[[str, str, t.Mapping[str, str]], Response]


def split_address(address: str) -> tuple[str, str]:
    """Host (with port) and path prefix of a registry's address such as harbor.example.com/mlops."""
    match = ADDRESS.match(address)
    if not match:
        raise ImagesError(
            f"registry (images_registry): {address!r} is not an address: give host[:port][/project] without "
            "https://, such as harbor.example.com/mlops"
        )
    return match["host"], match["prefix"] or ""


def repository(address: str, name: str) -> str:
    """The repository of an image below a registry's address, without the host."""
    prefix = split_address(address)[1]
    return f"{prefix}/{name}" if prefix else name


def auth_document(host: str, username: str, password: str) -> str:
    """The authfile that buildah and skopeo read."""
    login = base64.b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": login}}})


def login_of(document: str, address: str) -> tuple[str, str] | None:
    """User name and password that an authfile has for a registry: for its full address, else for its host."""
    try:
        entries = json.loads(document).get("auths") or {}
        for key in (address, split_address(address)[0]):
            login = (entries.get(key) or {}).get("auth")
            if login:
                username, _colon, password = base64.b64decode(login, validate=True).decode().partition(":")
                return username, password
    except (ValueError, AttributeError) as error:
        raise ImagesError(f"authfile: it is not a JSON document with logins: {error}") from error
    return None


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


class RegistryClient:
    """Asks one registry; ``fetch`` does the HTTP."""

    def __init__(self, host: str, fetch: Fetch, login: tuple[str, str] | None = None) -> None:
        self.host = host
        self._fetch = fetch
        self._login = login

    def _authorization(self, challenge: str, repository_name: str) -> str:
        """What the registry's challenge asks for: the login itself, or a token bought with it."""
        scheme, _space, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._login:
            return _basic(self._login)
        fields = dict(CHALLENGE_FIELD.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in fields:
            raise ImagesError(f"registry {self.host} wants a login: give registry_username and registry_password")
        query = {"service": fields.get("service", ""), "scope": f"repository:{repository_name}:pull"}
        url = f"{fields['realm']}?{urllib.parse.urlencode(query)}"
        answer = self._fetch("GET", url, {"Authorization": _basic(self._login)} if self._login else {})
        if answer.status != 200:
            raise ImagesError(f"registry {self.host} refused the login (its token service answered {answer.status})")
        tokens = json.loads(answer.body)
        return "Bearer " + (tokens.get("token") or tokens["access_token"])

    def _ask(self, method: str, repository_name: str, reference: str) -> Response:
        """One question about a manifest, with the login that the registry asks for."""
        url = f"https://{self.host}/v2/{repository_name}/manifests/{reference}"
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        answer = self._fetch(method, url, headers)
        if answer.status == 401:
            challenge = answer.headers.get("www-authenticate", "")
            headers["Authorization"] = self._authorization(challenge, repository_name)
            answer = self._fetch(method, url, headers)
        return answer

    def digest(self, repository_name: str, reference: str) -> str | None:
        """The digest of a tag's manifest, or nothing when the registry does not have it."""
        answer = self._ask("HEAD", repository_name, reference)
        if answer.status == 404:
            return None
        if answer.status in (401, 403):
            user = f"user {self._login[0]}" if self._login else "nobody (no login is given)"
            raise ImagesError(f"registry {self.host} refuses {repository_name} to {user}: check login and rights")
        if answer.status != 200:
            raise ImagesError(f"registry {self.host} answered {answer.status} for {repository_name}:{reference}")
        if "docker-content-digest" in answer.headers:
            return answer.headers["docker-content-digest"]
        return "sha256:" + hashlib.sha256(self._ask("GET", repository_name, reference).body).hexdigest()


def fetcher(ca_file: str | None) -> Fetch:
    """HTTP with TLS verified by a CA file, or by the operating system's certificates."""
    context = ssl.create_default_context(cafile=ca_file)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def fetch(method: str, url: str, headers: t.Mapping[str, str]) -> Response:
        if not url.startswith("https://"):
            raise ImagesError(f"registry: {url} is not https")
        request = urllib.request.Request(url, method=method)  # noqa: S310
        for name, value in headers.items():
            # A redirect may lead to another host, which must not get the login.
            add = request.add_unredirected_header if name == "Authorization" else request.add_header
            add(name, value)
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except urllib.error.HTTPError as error:
            return Response(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())
        except OSError as error:
            reason = getattr(error, "reason", error)
            host = urllib.parse.urlsplit(url).netloc
            message = f"registry {host} does not answer: {reason}; check the address and registry_ca_file"
            raise ImagesError(message) from error

    return fetch
