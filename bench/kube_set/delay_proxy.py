"""A TCP proxy that adds a round trip time. usage: delay_proxy.py HOST PORT MILLISECONDS; it prints its port."""

from __future__ import annotations

import asyncio
import socket
import sys


async def carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float, opening: float = 0.0
) -> None:
    """Carry bytes with a delay; what is on its way does not hold back what follows."""
    loop = asyncio.get_running_loop()
    line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    earliest = loop.time() + opening

    async def deliver() -> None:
        while True:
            due, data = await line.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    task = asyncio.create_task(deliver())
    try:
        while True:
            data = await reader.read(65536)
            line.put_nowait((max(loop.time(), earliest) + seconds, data))
            if not data:
                break
    except OSError:
        line.put_nowait((loop.time(), b""))
    await asyncio.gather(task, return_exceptions=True)


async def serve(host: str, port: int, rtt: float) -> None:
    """Accept connections for ever. Opening one costs a round trip, as the handshake of TCP does."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(host, port)
        for stream in (writer, up_writer):
            stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(carry(reader, up_writer, rtt / 2, rtt), carry(up_reader, writer, rtt / 2))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000))
