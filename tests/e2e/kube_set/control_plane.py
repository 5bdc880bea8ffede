"""A throw-away control plane: etcd and an API server on ports of their own, which a test may restart."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import subprocess
import time
import typing as t
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from e2e.kube_set.support import Recorder

from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import Connection

ADMIN, USER = "token-of-the-admin", "token-of-a-user"
TOKENS = f"{ADMIN},admin,1,system:masters\n{USER},ana,2\n"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class ControlPlane:
    """Its two processes run the lab's binary and keep their files in one folder."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary = binary
        self.folder = folder
        self.port, self.etcd_port, self.peer_port = free_port(), free_port(), free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> ControlPlane:
        """Start both and wait until the API server is ready."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / "accounts.key").write_bytes(key.private_bytes(*form))
        (self.folder / "tokens.csv").write_text(TOKENS)
        self.start("etcd", self.etcd_arguments())
        self.start_server()
        self.await_ready()
        return self

    def __exit__(self, *_error: object) -> None:
        """End both."""
        for name in list(self.running):
            self.stop(name)

    def connection(self, token: str) -> Connection:
        """The connection of one of the users."""
        # The server makes its own certificate, with the authority behind it.
        return Connection(f"https://127.0.0.1:{self.port}", ca=self.certificate.read_text(), token=token)

    def client(self, token: str) -> Recorder:
        """A client for one of the users."""
        return Recorder(self.connection(token))

    @property
    def certificate(self) -> Path:
        """The certificate that the server makes for itself."""
        return self.folder / "certificates" / "apiserver.crt"

    def start(self, name: str, arguments: t.Sequence[str]) -> None:
        """Start a process; its output goes to a file."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen([self.binary, name, *arguments], stdout=log, stderr=log)

    def start_server(self) -> None:
        """Start the API server."""
        self.start("kube-apiserver", self.server_arguments())

    def stop(self, name: str) -> None:
        """End a process as a crash does."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def restart(self, seconds: float) -> None:
        """Kill the API server, and start it again after so long."""
        self.stop("kube-apiserver")
        time.sleep(seconds)
        self.start_server()

    def await_ready(self) -> None:
        """Wait until the API server says so itself."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.health() == 200:
                    return
            time.sleep(0.2)
        raise AssertionError((self.folder / "kube-apiserver.log").read_text()[-2000:])

    def health(self) -> int:
        """The status of /readyz."""
        context = ssl.create_default_context(cadata=self.certificate.read_text())
        asked = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=5)
        with contextlib.closing(asked):
            asked.request("GET", "/readyz", headers={"Authorization": f"Bearer {ADMIN}"})
            return asked.getresponse().status

    def etcd_arguments(self) -> list[str]:
        """How etcd is started."""
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
            "--unsafe-no-fsync",
        ]

    def server_arguments(self) -> list[str]:
        """How the API server is started."""
        key = self.folder / "accounts.key"
        return [
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
        ]
