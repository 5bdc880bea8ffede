# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Faults of a request in words that help."""

from __future__ import annotations

import ssl
import time

from .connection import Connection
from .errors import ApiError, KubeError, UnreachableError


def explained(error: Exception, connection: Connection) -> KubeError:
    """The error that the user sees for a fault of the transport or an answer of the server."""
    if isinstance(error, ApiError):
        if error.status == 401:
            return KubeError(f"{connection.server} refuses the credentials (401): {why_refused(connection)}")
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return KubeError(
            f"the certificate of {connection.server} is not trusted ({error.verify_message}): give the right CA "
            "(certificate-authority-data of the kubeconfig, or ca_cert), or renew the server's certificate"
        )
    if isinstance(error, ssl.SSLError):
        return UnreachableError(f"no TLS connection to {connection.server}: {error.reason or error}")
    if isinstance(error, TimeoutError):
        return UnreachableError(
            f"{connection.server} does not answer in time: check the address, the route and the firewall"
        )
    return UnreachableError(f"{connection.server} cannot be reached: {error}")


def why_refused(connection: Connection) -> str:
    """What is wrong with the credentials, as far as they show it."""
    expired = expiry(connection.client_cert) if connection.client_cert else None
    if expired and expired < time.time():
        return f"the client certificate expired on {time.strftime('%Y-%m-%d', time.gmtime(expired))}, renew it"
    kind = "token" if connection.token or connection.token_file else "client certificate"
    return f"the {kind} is wrong, expired or of another cluster"


def expiry(pem: str) -> float | None:
    """When a certificate ends, where the cryptography package can tell."""
    try:
        from cryptography import x509
    except ImportError:
        return None
    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()
    except ValueError:
        return None
