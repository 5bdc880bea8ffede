"""Sends requests at a fixed rate and writes one line for each. Runs in a pod, with the standard library only.

usage: python load.py HOST PORT PATH RATE    until the standard input ends

Each request has a connection of its own and is sent at its time, whether the ones before were answered or not. One that
fails is sent once more, as a client does. A line: time sent, seconds until the answer, status or error, the same of the
second attempt or -, body.
"""

from __future__ import annotations

import asyncio
import sys
import time

TIMEOUT = 20.0


async def once(host: str, port: int, path: str) -> tuple[float, str, str]:
    """Seconds, status or error, and body of one request."""
    started = time.monotonic()
    writer = None
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            answer = await reader.read()
        head, _, body = answer.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        status = words[1].decode() if len(words) > 1 else "closed"
        return time.monotonic() - started, status, body.decode("utf-8", "replace").replace("\n", " ")
    except TimeoutError:
        return time.monotonic() - started, "timeout", ""
    except OSError as error:
        return time.monotonic() - started, type(error).__name__, ""
    finally:
        if writer is not None:
            writer.close()


async def request(host: str, port: int, path: str) -> None:
    """One request, its line, and a second attempt where the first failed."""
    sent = time.time()
    seconds, status, body = await once(host, port, path)
    again = "-"
    if status != "200":
        _seconds, again, body = await once(host, port, path)
    print(f"{sent:.3f}\t{seconds:.4f}\t{status}\t{again}\t{body}", flush=True)


async def main(host: str, port: int, path: str, rate: float) -> None:
    """Send until the standard input ends, then wait for the last answers."""
    loop = asyncio.get_running_loop()
    over = loop.run_in_executor(None, sys.stdin.read)
    started, number = loop.time(), 0
    running: set[asyncio.Task[None]] = set()
    while not over.done():
        task = asyncio.create_task(request(host, port, path))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
        await asyncio.sleep(max(0.0, started + number / rate - loop.time()))
    await asyncio.gather(*running)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
