"""The port-forward: which pod, and the WebSocket that carries it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
import socketserver
import threading
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils import _tunnel
from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import Connection
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import ApiError, KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.forward import Channel, Target
from ansible_collections.mlops.platform.plugins.module_utils._kube.websocket import (
    BINARY,
    CLOSE,
    PING,
    Frame,
    accept_of,
    encode,
    masked,
    read_frame,
)

Object = dict[str, t.Any]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200000])
def test_frames_of_all_sizes(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    assert read_frame(io.BytesIO(encode(BINARY, payload))) == Frame(BINARY, payload)


def test_frames_as_the_standard_shows_them() -> None:
    """RFC 6455, section 5.7 and 1.3."""
    hello = bytes([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    assert encode(0x1, b"Hello", mask=bytes([0x37, 0xFA, 0x21, 0x3D])) == hello
    assert read_frame(io.BytesIO(bytes([0x81, 0x05]) + b"Hello")) == Frame(0x1, b"Hello")
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_mask_takes_itself_off() -> None:
    assert masked(masked(b"some bytes", b"\x00\xff\x10\x20"), b"\x00\xff\x10\x20") == b"some bytes"


@pytest.mark.parametrize("cut", [3, 5, 100])
def test_a_frame_that_is_cut_off(cut: int) -> None:
    with pytest.raises(ConnectionResetError):
        read_frame(io.BytesIO(encode(BINARY, b"x" * 300)[:cut]))


def test_the_end_of_the_stream() -> None:
    assert read_frame(io.BytesIO(b"")) is None


SERVICE: Object = {
    "metadata": {"name": "web", "namespace": "ns"},
    "spec": {
        "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "http", "port": 80},
            {"name": "m", "port": 53},
        ]
    },
}


@pytest.mark.parametrize(("port", "name"), [(80, "http"), ("80", "http"), ("http", "http"), (53, "m")])
def test_ports_of_a_service(port: int | str, name: str) -> None:
    assert _tunnel.port_name(SERVICE, port) == name


def test_a_port_that_a_service_has_not() -> None:
    with pytest.raises(KubeError, match="the Service ns/web has no TCP port 81; it has: http 80, m 53"):
        _tunnel.port_name(SERVICE, 81)


def endpoint(name: str, ready: bool | None = True, kind: str = "Pod") -> Object:
    return {"conditions": {"ready": ready}, "targetRef": {"kind": kind, "name": name, "namespace": "ns"}}


def slice_of(*endpoints: Object, port: str = "http") -> Object:
    return {"ports": [{"name": port, "port": 8080}], "endpoints": list(endpoints)}


@pytest.mark.parametrize(
    ("item", "pods"),
    [
        (slice_of(endpoint("a"), endpoint("b")), ["a", "b"]),
        (slice_of(endpoint("a", ready=False), endpoint("b")), ["b"]),
        (slice_of(endpoint("a"), port="other"), []),
        (slice_of(endpoint("a", kind="Node")), []),
        ({"ports": None, "endpoints": None}, []),
    ],
)
def test_ready_pods(item: Object, pods: list[str]) -> None:
    assert [target.pod for target in _tunnel.targets_of(item, "http")] == pods


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("minio:9000", ("minio", 9000)),
        ("https://minio.example:443", ("minio.example", 443)),
        ("[::1]:5432", ("::1", 5432)),
    ],
)
def test_endpoints(text: str, address: tuple[str, int]) -> None:
    with _tunnel.reach({}, "ns", "x", 1, endpoint=text) as found:
        assert found == address


@pytest.mark.parametrize("text", ["minio", "minio:port", ":9000"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(KubeError, match="is not valid"):
        _tunnel.parsed_endpoint(text)


class Kubelet(socketserver.StreamRequestHandler):
    """Answers as the API server does: lists, and a port-forward that echoes in capitals."""

    def handle(self) -> None:
        """One request."""
        server = t.cast("Fake", self.server)
        status, _path, headers = self.head()
        if "portforward" not in status:
            body = json.dumps(server.answer(status)).encode()
            code = b"200 OK" if b"NotFound" not in body else b"404 Not Found"
            self.wfile.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (code, len(body))
            )
            self.wfile.write(body)
            return
        server.forwards.append(status)
        if server.refusals and server.refusals.pop():
            body = b'{"kind": "Status", "message": "pods \\"a\\" not found", "code": 404}'
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            return
        digest = hashlib.sha1(headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        accept = base64.b64encode(digest).decode()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}",
        ]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode())
        self.serve(server)

    def head(self) -> tuple[str, str, dict[str, str]]:
        """The request line and the headers."""
        first = self.rfile.readline().decode().strip()
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return first, "", headers

    def frame(self, opcode: int, payload: bytes) -> None:
        """A frame of the server, which is not masked."""
        size = len(payload)
        head = bytes([0x80 | opcode, size]) if size < 126 else bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
        self.wfile.write(head + payload)

    def serve(self, server: Fake) -> None:
        """Greet on both channels, then echo."""
        self.frame(BINARY, b"\x00" + (8080).to_bytes(2, "little"))
        self.frame(BINARY, b"\x01" + (8080).to_bytes(2, "little"))
        if server.fault:
            self.frame(BINARY, b"\x01" + server.fault)
            return
        self.frame(PING, b"there?")
        while (found := read_frame(self.rfile)) is not None and found.opcode != CLOSE:
            if found.opcode == BINARY:
                self.frame(BINARY, b"\x00" + found.payload[1:].upper())
                if found.payload.endswith(b"bye"):
                    return


class Fake(socketserver.ThreadingTCPServer):
    """The API server."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Kubelet)
        self.forwards: list[str] = []
        self.refusals: list[bool] = []
        self.fault = b""
        self.pods = ["a"]

    def answer(self, request: str) -> Object:
        """A Service, or its EndpointSlices."""
        if "/services/web " in request:
            return SERVICE
        if "endpointslices" in request:
            return {"items": [slice_of(*map(endpoint, self.pods))]}
        return {"kind": "Status", "reason": "NotFound"}


@pytest.fixture
def fake() -> t.Iterator[Fake]:
    with Fake() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def client(fake: Fake) -> t.Iterator[Client]:
    with Client(Connection(f"http://127.0.0.1:{fake.server_address[1]}", token="t")) as made:
        yield made


def said(address: tuple[str, int], *texts: bytes) -> bytes:
    with socket.create_connection(address, timeout=5) as sock:
        answer = b""
        for text in texts:
            sock.sendall(text)
            while len(answer) < sum(map(len, texts[: texts.index(text) + 1])):
                data = sock.recv(65536)
                if not data:
                    return answer
                answer += data
        return answer


def test_bytes_go_through_both_ways(fake: Fake, client: Client) -> None:
    with _tunnel.tunnel(client, "ns", "web", 80) as address:
        assert said(address, b"hello", b" again") == b"HELLO AGAIN"
        assert said(address, b"x" * 60000) == b"X" * 60000
    assert all("/namespaces/ns/pods/a/portforward?ports=8080" in line for line in fake.forwards)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address, timeout=1)


def test_the_end_of_the_pods_side_is_the_end(client: Client) -> None:
    with _tunnel.tunnel(client, "ns", "web", "http") as address, socket.create_connection(address, timeout=5) as sock:
        sock.sendall(b"bye")
        assert sock.recv(100) == b"BYE"
        assert sock.recv(100) == b""


def test_many_connections_at_a_time(client: Client) -> None:
    with _tunnel.tunnel(client, "ns", "web", 80) as address:
        results: list[bytes] = []
        threads = [
            threading.Thread(target=lambda text=text: results.append(said(address, text)))
            for text in (b"a", b"bb", b"ccc") * 5
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == sorted([b"A", b"BB", b"CCC"] * 5)


def test_a_pod_that_went_away_is_replaced(fake: Fake, client: Client) -> None:
    with _tunnel.tunnel(client, "ns", "web", 80) as address:
        fake.pods, fake.refusals = ["b"], [True]
        assert said(address, b"hello") == b"HELLO"
    assert "/pods/b/portforward" in fake.forwards[-1]


def test_a_port_that_nobody_listens_on(fake: Fake, client: Client) -> None:
    fake.fault = b"dial tcp4 127.0.0.1:8080: connection refused"
    with _tunnel.Tunnel(client, "ns", "web", 80) as opened:
        assert said(opened.address, b"hello") == b""
        assert "connection refused" in str(opened.fault)


def test_nothing_to_reach(fake: Fake, client: Client) -> None:
    fake.pods = []
    with pytest.raises(_tunnel.NoPodError, match="the Service ns/web has no ready pod"):
        _tunnel.Tunnel(client, "ns", "web", 80)
    with pytest.raises(_tunnel.NoPodError, match="the Service ns/none does not exist"):
        _tunnel.Tunnel(client, "ns", "none", 80)


def test_a_refused_port_forward(fake: Fake, client: Client) -> None:
    fake.refusals = [True] * 9
    with pytest.raises(ApiError, match='pods "a" not found'):
        Channel(client, Target("ns", "a", 8080))
