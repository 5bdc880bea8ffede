# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The login and CA of a registry as files for programs, which exist only while they are used."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._images.registry import (
    RegistryClient,
    auth_document,
    fetcher,
    login_of,
    split_address,
)


class Login:
    """A folder with an authfile and a CA; ``params`` has registry, registry_username and their like."""

    def __init__(self, params: t.Mapping[str, t.Any], tmpdir: str) -> None:
        self._address: str | None = params["registry"]
        self._ca_file: str | None = params["registry_ca_file"]
        self._given: str | None = params["registry_authfile"]
        self._user = (params["registry_username"], params["registry_password"])
        self._tmpdir = tmpdir
        self._folder = ""
        self.authfile: str | None = None
        self.cert_dir: str | None = None
        self._check()

    def _check(self) -> None:
        for option, path in (("registry_ca_file", self._ca_file), ("registry_authfile", self._given)):
            if path and not os.path.isfile(path):
                raise ImagesError(f"{option}: there is no file {path}")
        if self._address is not None:
            split_address(self._address)

    def __enter__(self) -> Login:
        self._folder = tempfile.mkdtemp(dir=self._tmpdir)
        self.authfile = self._given
        if self._address and self._user[0]:
            self.authfile = os.path.join(self._folder, "auth.json")
            descriptor = os.open(self.authfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(auth_document(split_address(self._address)[0], *self._user))
        if self._ca_file:
            self.cert_dir = os.path.join(self._folder, "certs")
            os.mkdir(self.cert_dir)
            shutil.copyfile(self._ca_file, os.path.join(self.cert_dir, "ca.crt"))
        return self

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self._folder)

    def client(self) -> RegistryClient | None:
        """A client of the registry, when there is one."""
        if not self._address:
            return None
        login = self._user if self._user[0] else None
        if self._given:
            with open(self._given, encoding="utf-8") as stream:
                login = login_of(stream.read(), self._address)
        return RegistryClient(split_address(self._address)[0], fetcher(self._ca_file), login)

    def required_client(self) -> RegistryClient:
        """A client of the registry, where there must be one."""
        client = self.client()
        assert client is not None
        return client


def options(login: Login, prefix: str) -> list[str]:
    """The login as options of skopeo, for the source (--src) or the destination (--dest)."""
    authfile = [f"{prefix}-authfile={login.authfile}"] if login.authfile else []
    return authfile + ([f"{prefix}-cert-dir={login.cert_dir}"] if login.cert_dir else [])
