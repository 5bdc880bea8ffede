# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Connections to an API server with nothing but the standard library."""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import ssl
import tempfile
import typing as t
from urllib.parse import unquote, urlsplit

from .connection import Connection, basic, normal_server, read_file
from .errors import KubeError


def tls_context(connection: Connection) -> ssl.SSLContext:
    """The TLS settings of a connection."""
    try:
        context = ssl.create_default_context(cadata=connection.ca or None)
    except ssl.SSLError as error:
        raise KubeError(f"the CA certificate of {connection.server} is not valid PEM: {error}") from error
    # Many clusters' CAs lack the extensions that Python 3.13 began to demand. The rest is still checked.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.client_cert and connection.client_key:
        load_client_cert(context, connection.client_cert, connection.client_key)
    return context


def load_client_cert(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Load a client certificate; the ssl module takes it only from a file, which exists for this moment."""
    handle, path = tempfile.mkstemp(prefix="kube-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(f"{cert}\n{key}\n")
        context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise KubeError(f"the client certificate and key do not fit together or are not valid PEM: {error}") from error
    finally:
        os.unlink(path)


class TlsConnection(http.client.HTTPSConnection):
    """An HTTPS connection whose certificate may have another name than the host."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, timeout: float, name: str) -> None:
        super().__init__(host, port, context=context, timeout=timeout)
        self.tls = context
        self.tls_name = name

    def connect(self) -> None:
        """Open the socket, ask a proxy for the way, and shake hands."""
        http.client.HTTPConnection.connect(self)
        self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.tls_name)


class Transport:
    """Opens connections, and keeps those that are free for the next request."""

    def __init__(self, connection: Connection, timeout: float = 75.0) -> None:
        self.connection = connection
        self.url = urlsplit(normal_server(connection.server))
        self.timeout = timeout
        self.context = tls_context(connection) if self.url.scheme == "https" else None
        self.closed = False
        self.free: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    @property
    def prefix(self) -> str:
        """The path of the server's URL, before every request's path."""
        return self.url.path

    def open(self, timeout: float | None = None) -> http.client.HTTPConnection:
        """A new connection, not yet connected."""
        host, port = str(self.url.hostname), int(self.url.port or 443)
        proxy = urlsplit(self.connection.proxy_url) if self.connection.proxy_url else None
        where = (str(proxy.hostname), proxy.port or 80) if proxy else (host, port)
        wait = timeout or self.timeout
        if self.context is None:
            return http.client.HTTPConnection(*where, timeout=wait)
        opened = TlsConnection(*where, self.context, wait, self.connection.tls_server_name or host)
        if proxy:
            opened.set_tunnel(host, port, self.proxy_headers(proxy))
        return opened

    @staticmethod
    def proxy_headers(proxy: t.Any) -> dict[str, str]:
        """Credentials for the proxy, and a clear word for what is not supported."""
        if proxy.scheme != "http":
            raise KubeError(f"proxy-url of the kubeconfig: only http proxies are supported, not {proxy.scheme}")
        if not proxy.username:
            return {}
        return {"Proxy-Authorization": basic(unquote(proxy.username), unquote(proxy.password or ""))}

    @contextlib.contextmanager
    def lease(self) -> t.Iterator[tuple[http.client.HTTPConnection, bool]]:
        """A connection for one request, and whether it was used before. It is dropped when the request fails."""
        try:
            held, used = self.free.get_nowait(), True
        except queue.Empty:
            held, used = self.open(), False
        try:
            yield held, used
        except BaseException:
            held.close()
            raise
        if self.closed:
            held.close()
        else:
            self.free.put(held)

    def authorization(self) -> dict[str, str]:
        """The headers that say who asks."""
        known = self.connection
        if known.token_file:
            return {"Authorization": f"Bearer {read_file(known.token_file, 'tokenFile').strip()}"}
        if known.token:
            return {"Authorization": f"Bearer {known.token}"}
        if known.username and known.password is not None:
            return {"Authorization": basic(known.username, known.password)}
        return {}

    def close(self) -> None:
        """Close what is kept, and what is in use as soon as it is given back."""
        self.closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self.free.get_nowait().close()
