# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Certificates of the lab: a CA of ten years and leaves signed by it, on the cryptography package.

All material is PEM bytes in memory; reading and writing files is the caller's part.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = dt.timedelta(days=3650)
RENEW_BEFORE = dt.timedelta(days=30)
PrivateKey = t.Union[ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey]


class Leaf(t.NamedTuple):
    """What a leaf certificate has to say. ``sans`` are DNS names and IP addresses."""

    name: str
    common_name: str
    organization: str | None
    sans: tuple[str, ...]


def key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key_bytes: bytes) -> bytes:
    key = serialization.load_pem_private_key(key_bytes, None)
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def new_rsa_key() -> bytes:
    """A key for signing service account tokens (RS256)."""
    return key_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey, now: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFE)
    )


def new_ca(common_name: str, now: dt.datetime) -> tuple[bytes, bytes]:
    """Certificate and key of a new CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = _builder(name, name, key, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key_pem(key)


def subject_of(leaf: Leaf) -> x509.Name:
    organization = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organization)] if leaf.organization else []
    return x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)])


def general_name(san: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(san))
    except ValueError:
        return x509.DNSName(san)


def new_leaf(leaf: Leaf, ca_cert: bytes, ca_key: bytes, now: dt.datetime) -> tuple[bytes, bytes]:
    """Certificate and key of a leaf for both server and client use."""
    issuer = x509.load_pem_x509_certificate(ca_cert)
    issuer_key = t.cast(PrivateKey, serialization.load_pem_private_key(ca_key, None))
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject_of(leaf), issuer.subject, key, now)
    builder = builder.add_extension(x509.SubjectAlternativeName([general_name(s) for s in leaf.sans]), critical=False)
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(usages, critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(authority, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key_pem(key)


def why_renew(cert: bytes | None, leaf: Leaf, ca_cert: bytes, now: dt.datetime) -> str | None:
    """Why a leaf has to be made again, or None where it is as wanted."""
    if cert is None:
        return "missing"
    seen = x509.load_pem_x509_certificate(cert)
    issuer = x509.load_pem_x509_certificate(ca_cert)
    if seen.not_valid_after_utc - now < RENEW_BEFORE:
        return "expires soon"
    if seen.subject != subject_of(leaf):
        return "other subject"
    names = seen.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if set(names) != {general_name(s) for s in leaf.sans}:
        return "other names"
    authority = seen.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    wanted = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return None if authority.key_identifier == wanted.digest else "other CA"
