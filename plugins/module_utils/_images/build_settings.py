# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The folder that builds get mounted at /run/build: mirror, CA bundle, proxies. It is never part of an image."""

from __future__ import annotations

import os
import shlex
import shutil
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, apt

MOUNTED_AT = "/run/build"
HOST_APT = "apt-host.conf"
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")
CA_VARIABLES = (
    "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "npm_config_cafile",
    "GIT_SSL_CAINFO",
)  # fmt: skip
INHERITED = (
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "npm_config_registry", "GOPROXY", "GOSUMDB",
    "GONOSUMDB", "GOPRIVATE", "GONOPROXY", "GOINSECURE",
)  # fmt: skip


@dataclass(frozen=True)
class BuildSettings:
    """How builds reach the registries of packages."""

    mirror: apt.Mirror
    suite: str
    ca_file: str
    apt_lines: tuple[str, ...] = ()
    environment: t.Mapping[str, str] = field(default_factory=dict)


def ca_bundle(given: str | None, exists: t.Callable[[str], bool] = os.path.isfile) -> str:
    """The CA bundle that is given, or the operating system's own."""
    for path in (given,) if given else CA_BUNDLES:
        if exists(path):
            return path
    raise ImagesError(f"ca_file: {given or ', '.join(CA_BUNDLES)} does not exist: name a file of CA certificates")


def inherited(environment: t.Mapping[str, str], given: t.Mapping[str, str]) -> dict[str, str]:
    """Proxy and registry settings of this process's environment, overridden by what is given."""
    return {**{name: environment[name] for name in INHERITED if environment.get(name)}, **given}


def shell_environment(environment: t.Mapping[str, str]) -> str:
    """A file for the shell's ``.``: every RUN that uses a registry reads it."""
    ca = f"{MOUNTED_AT}/ca.pem"
    values = {
        **dict.fromkeys(CA_VARIABLES, ca),
        "APT_CONFIG": f"{MOUNTED_AT}/apt.conf",
        "DEBIAN_FRONTEND": "noninteractive",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "GOTOOLCHAIN": "local",
        **environment,
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(values.items()))


def write(settings: BuildSettings, folder: str) -> None:
    """Fill the folder. Only root reads the environment: a registry's address may hold a password."""
    keyring = f"{MOUNTED_AT}/keyring.gpg"
    shutil.copyfile(settings.mirror.keyring, os.path.join(folder, "keyring.gpg"))
    shutil.copyfile(settings.ca_file, os.path.join(folder, "ca.pem"))
    texts = {
        "env": shell_environment(settings.environment),
        HOST_APT: "".join(f"{line}\n" for line in settings.apt_lines),
        "sources.list": apt.sources(settings.mirror, settings.suite, keyring, backports=True),
        "apt.conf": apt.configuration(settings.apt_lines, f"{MOUNTED_AT}/ca.pem", f"{MOUNTED_AT}/sources.list"),
    }
    for name, text in texts.items():
        descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
