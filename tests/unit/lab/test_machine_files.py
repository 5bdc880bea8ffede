# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError
from ansible_collections.mlops.platform.plugins.module_utils._lab import machine_files as mf

MACHINE = mf.Machine(
    hostname="nfs01",
    address="10.77.0.2",
    names=("nfs01.mlops.lab",),
    nameservers=("10.0.0.53", "10.0.1.53"),
    authorized_key="ssh-ed25519 CLIENT lab\n",
    host_key="PRIVATE",
    host_public_key="ssh-ed25519 HOST nfs01\n",
    sources="deb http://mirror bookworm main\n",
    apt_settings="",
    environment={"https_proxy": "http://proxy:3128", "http_proxy": "http://proxy:3128"},
)


def certificate(body: str, end: str = "\n") -> str:
    return f"-----BEGIN CERTIFICATE-----{end}{body}{end}-----END CERTIFICATE-----{end}"


def test_what_a_machine_is_told() -> None:
    files = MACHINE.files()
    assert files["etc/hostname"] == "nfs01\n"
    assert files["etc/hosts"].splitlines()[-1] == "10.77.0.2 nfs01.mlops.lab nfs01"
    assert files["etc/resolv.conf"] == "nameserver 10.0.0.53\nnameserver 10.0.1.53\n"
    assert files["etc/environment"] == 'http_proxy="http://proxy:3128"\nhttps_proxy="http://proxy:3128"\n'
    assert files["root/.ssh/authorized_keys"] == MACHINE.authorized_key
    assert replace(MACHINE, environment={}).files()["etc/environment"] == ""


def test_the_private_key_is_private() -> None:
    secret = {name for name, content in MACHINE.files().items() if "PRIVATE" in content}
    assert secret
    assert secret <= mf.PRIVATE


def test_clients_know_the_machine_by_all_its_names() -> None:
    assert MACHINE.known_hosts() == "10.77.0.2,nfs01.mlops.lab,nfs01 ssh-ed25519 HOST\n"


@pytest.mark.parametrize(
    ("texts", "servers"),
    [
        (["nameserver 10.0.0.53\noptions edns0\n"], ("10.0.0.53",)),
        (["# none\nnameserver 127.0.0.1\nnameserver 10.0.0.53"], ("10.0.0.53",)),
        (["nameserver 127.0.0.53\n", "nameserver 192.0.2.1\nnameserver fe80::1%eth0\n"], ("192.0.2.1", "fe80::1%eth0")),
    ],
)
def test_name_servers_that_others_reach(texts: list[str], servers: tuple[str, ...]) -> None:
    assert mf.nameservers(*texts) == servers


def test_only_a_name_server_on_this_machine_is_a_problem() -> None:
    with pytest.raises(LabError, match="lab_storage_nameservers"):
        mf.nameservers("nameserver 127.0.0.1\nnameserver ::1\n", "")


def test_only_certificates_of_the_company_are_handed_on() -> None:
    host = certificate("AAAA") + "# corporate\n" + certificate("BBBB\nCCCC") + certificate("BBBB\nCCCC")
    own = [certificate("AA\nAA", "\r\n"), certificate("DDDD")]
    (extra,) = mf.extra_certificates(host, own)
    assert "BBBB\nCCCC" in extra
    assert mf.extra_certificates(certificate("AAAA"), own) == []
    assert list(mf.certificate_files([extra])) == ["usr/local/share/ca-certificates/lab/000.crt"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (("Nfs_01", "10.0.0.2", ()), "hostname"),
        (("nfs01", "10.0.0.300", ()), "address"),
        (("nfs01", "10.0.0.2", ("dns.example",)), "nameservers"),
    ],
)
def test_the_wrong_field_is_named(values: tuple[str, str, tuple[str, ...]], field: str) -> None:
    (problem,) = mf.problems(*values)
    assert problem.startswith(f"{field}: ")
    assert mf.problems("nfs01", "10.0.0.2", ("10.0.0.53",)) == []
