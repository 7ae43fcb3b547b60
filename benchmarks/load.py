"""A load generator: keep-alive connections that send the same request again and again."""

from __future__ import annotations

import asyncio
import time


async def drive(port: int, path: str, *, clients: int, requests: int) -> float:
    """Send ``requests`` GETs over ``clients`` connections; return the seconds they took."""
    started = time.perf_counter()
    share = requests // clients
    await asyncio.gather(*[_client(port, path, share) for _ in range(clients)])
    return time.perf_counter() - started


async def _client(port: int, path: str, requests: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    message = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    for _ in range(requests):
        writer.write(message)
        await read_response(reader)
    writer.close()
    await writer.wait_closed()


async def read_response(reader: asyncio.StreamReader) -> bytes:
    """Read one response that has a Content-Length; return its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode("latin-1").splitlines()[0])
    lowered = head.lower()
    start = lowered.index(b"content-length:") + len(b"content-length:")
    return await reader.readexactly(int(lowered[start : lowered.index(b"\r\n", start)]))
