# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The files that make an installed system one certain machine: decided here, written elsewhere."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)
CERTIFICATES = "usr/local/share/ca-certificates/lab"
HOSTNAME = re.compile(r"[a-z]([a-z0-9-]{0,62}[a-z0-9])?\Z")


@dataclass(frozen=True)
class Machine:
    """What a machine is told of itself and of its surroundings."""

    hostname: str
    address: str
    names: tuple[str, ...]
    nameservers: tuple[str, ...]
    authorized_key: str
    host_key: str
    host_public_key: str
    sources: str
    apt_settings: str
    environment: t.Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Return the paths, relative to the machine's root, and their contents."""
        return {
            "etc/hostname": f"{self.hostname}\n",
            "etc/hosts": hosts(self.address, (*self.names, self.hostname)),
            "etc/resolv.conf": "".join(f"nameserver {server}\n" for server in self.nameservers),
            "etc/environment": "".join(f'{name}="{value}"\n' for name, value in sorted(self.environment.items())),
            "etc/apt/sources.list": self.sources,
            "etc/apt/apt.conf.d/90lab-host": self.apt_settings,
            "etc/ssh/ssh_host_ed25519_key": self.host_key,
            "etc/ssh/ssh_host_ed25519_key.pub": self.host_public_key,
            "root/.ssh/authorized_keys": self.authorized_key,
        }

    def known_hosts(self) -> str:
        """Return the line by which SSH clients know this machine and no other."""
        kind, key = self.host_public_key.split()[:2]
        return f"{','.join((self.address, *self.names, self.hostname))} {kind} {key}\n"


PRIVATE = frozenset({"etc/ssh/ssh_host_ed25519_key", "root/.ssh/authorized_keys"})
# A proxy's address may hold a password.
HIDDEN = PRIVATE | {"etc/environment", "etc/apt/apt.conf.d/90lab-host"}


def hosts(address: str, names: t.Iterable[str]) -> str:
    """Return the content of /etc/hosts."""
    return f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{address} {' '.join(names)}\n"


def problems(hostname: str, address: str, nameservers: t.Iterable[str]) -> list[str]:
    """Return what is wrong with the values that a user can give."""
    found = [] if HOSTNAME.match(hostname) else [f"hostname: {hostname} is not a host name"]
    for name, value in (("address", address), *(("nameservers", server) for server in nameservers)):
        try:
            ipaddress.ip_address(value)
        except ValueError:
            found.append(f"{name}: {value} is not an IP address")
    return found


def nameservers(*resolv_confs: str) -> tuple[str, ...]:
    """Return the name servers of the first resolv.conf that names one which other machines reach, too."""
    for text in resolv_confs:
        lines = (line.split() for line in text.splitlines())
        servers = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        found = tuple(server for server in servers if not ipaddress.ip_address(server.partition("%")[0]).is_loopback)
        if found:
            return found
    raise LabError(
        "this machine's /etc/resolv.conf names only name servers on this machine itself, which other machines of the "
        "lab do not reach: give lab_storage_nameservers"
    )


def extra_certificates(host_bundle: str, own: t.Iterable[str]) -> list[str]:
    """Return the certificates that this machine trusts and a fresh Debian does not: those of a company's proxy."""
    known = {_canonical(text) for bundle in own for text in CERTIFICATE.findall(bundle)}
    found = {_canonical(text): text for text in CERTIFICATE.findall(host_bundle)}
    return [f"{text}\n" for canonical, text in found.items() if canonical not in known]


def _canonical(certificate: str) -> str:
    return "".join(certificate.split())


def certificate_files(certificates: t.Sequence[str]) -> dict[str, str]:
    """Return a file for each certificate, as update-ca-certificates wants them."""
    return {f"{CERTIFICATES}/{number:03}.crt": text for number, text in enumerate(certificates)}
