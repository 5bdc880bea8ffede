"""A TCP proxy in front of the API server that cuts connections, delays them, or is away for a while."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
import typing as t


class ChaosProxy:
    """Carries bytes; `cut_after` breaks each connection after a random number of bytes up to that."""

    def __init__(self, upstream: tuple[str, int], cut_after: int = 0, seed: int = 1) -> None:
        self.upstream = upstream
        self.cut_after = cut_after
        self.chance = random.Random(seed)
        self.cuts = 0
        self.refused = 0
        self.away = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> ChaosProxy:
        """Begin to accept."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop."""
        self._end(self._listener)
        self.cut_all()

    def cut_all(self) -> None:
        """Reset all connections, as a server does that dies."""
        for sock in list(self._open):
            self._reset(sock)

    @contextlib.contextmanager
    def gone(self, seconds: float) -> t.Iterator[None]:
        """A server that is away for some seconds from now: connections die, new ones are reset."""

        began = threading.Event()

        def outage() -> None:
            self.away.set()
            self.cut_all()
            began.set()
            time.sleep(seconds)
            self.away.clear()

        thread = threading.Thread(target=outage)
        thread.start()
        began.wait()
        try:
            yield
        finally:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _peer = self._listener.accept()
            except OSError:
                return
            if self.away.is_set():
                self.refused += 1
                self._reset(client)
                continue
            try:
                server = socket.create_connection(self.upstream)
            except OSError:
                self._reset(client)
                continue
            self._open |= {client, server}
            limit = self.chance.randrange(self.cut_after // 4, self.cut_after) if self.cut_after else 0
            for source, target, most in ((client, server, 0), (server, client, limit)):
                threading.Thread(target=self._carry, args=(source, target, most), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, limit: int) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                if limit and carried + len(data) > limit:
                    self.cuts += 1
                    self._reset(source)
                    self._reset(target)
                    return
                carried += len(data)
                target.sendall(data)
        for sock in (source, target):
            self._end(sock)

    def _reset(self, sock: socket.socket) -> None:
        self._open.discard(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def _end(self, sock: socket.socket) -> None:
        self._open.discard(sock)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
