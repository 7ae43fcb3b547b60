"""Load generators: keep-alive connections that send the same request again and again."""

from __future__ import annotations

import asyncio
import select
import socket
import time


def pound(port: int, path: str, *, clients: int, requests: int, sleeps: bool = True) -> None:
    """Send ``requests`` GETs over ``clients`` connections, as fast as a client in Python can.

    It is a client of few instructions, as wrk is: it waits for the server, never the server for it.

    Args:
        sleeps: whether it gives its core up while no answer is there, as most clients do. On a virtual machine the
            server's next write then pays for waking that core, which is as much as all its other work in the kernel. A
            server that is faster than the client finds it awake, so that of two servers the slower one seems slower
            than it is: to compare them, let the client keep its core.

    Raises:
        RuntimeError: an answer is not 200 or differs in length from the first.
    """
    message = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    poll = select.epoll()
    connections = {}
    for _ in range(clients):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
    first = next(iter(connections.values()))
    first.sendall(message)
    length = len(_whole_answer(first))
    missing = dict.fromkeys(connections, length)
    for connection in connections.values():
        connection.sendall(message)
    left = requests
    while left > 0:
        for number, _ in poll.poll(None if sleeps else 0):
            missing[number] -= len(connections[number].recv(65536))
            if missing[number] < 0:
                raise RuntimeError("an answer is longer than the first")
            if not missing[number]:
                left -= 1
                missing[number] = length
                connections[number].sendall(message)
    for connection in connections.values():
        connection.close()
    poll.close()


def _whole_answer(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode("latin-1").splitlines()[0])
    lowered = head.lower()
    start = lowered.index(b"content-length:") + len(b"content-length:")
    total = head.index(b"\r\n\r\n") + 4 + int(lowered[start : lowered.index(b"\r\n", start)])
    while len(head) < total:
        head += connection.recv(65536)
    return head


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
