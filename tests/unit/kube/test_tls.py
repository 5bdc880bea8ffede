"""Servers whose certificate is not as it should be."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import Connection
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError

from .fake_api import Server

Made = tuple[str, str]


def certificate(begin: int, end: int, address: str = "127.0.0.1") -> Made:
    """A certificate for an address that signs itself, and its key; it is valid between two days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + datetime.timedelta(days=begin))
    builder = builder.not_valid_after(now + datetime.timedelta(days=end))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return pem.decode(), key.private_bytes(*form).decode()


@pytest.fixture
def serving(tmp_path: Path) -> t.Iterator[t.Callable[[Made], str]]:
    """Starts a server with a certificate; the result is its URL."""
    server = Server()

    def start(made: Made) -> str:
        (tmp_path / "server.pem").write_text("".join(made))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        return server.url.replace("http:", "https:")

    with server.running():
        yield start


def test_a_server_that_is_trusted(serving: t.Callable[[Made], str]) -> None:
    made = certificate(-1, 1)
    with Client(Connection(serving(made), ca=made[0], token="t")) as client:
        assert client.get("/version")["major"] == "1"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (certificate(-9, -1), "certificate has expired"),
        (certificate(1, 9), "certificate is not yet valid"),
        (certificate(-1, 1, "127.0.0.2"), "IP address mismatch"),
        (None, "self-signed certificate|unable to get local issuer certificate"),
    ],
    ids=["expired", "not yet valid", "another address", "another authority"],
)
def test_a_server_that_is_not(serving: t.Callable[[Made], str], made: Made | None, why: str) -> None:
    given = made or certificate(-1, 1)
    trusted = given[0] if made else certificate(-1, 1)[0]
    message = f"the certificate of https://.* is not trusted .*({why}).*give the right CA .* or renew the server's"
    with Client(Connection(serving(given), ca=trusted, token="t")) as client, pytest.raises(KubeError, match=message):
        client.get("/version")
