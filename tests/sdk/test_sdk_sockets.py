"""cloudflare:sockets, as import_from_javascript gives it."""

import asyncio

import pytest
from js import Object
from pyodide.ffi import to_js
from shown import error_of

from workers import import_from_javascript

pytestmark = pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml")


UNSUPPORTED = "Specified address is empty string, contains unsupported characters or is too long."


async def serve(handle):
    """Start a TCP server on loopback; returns it and its port."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def shout(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


def connect(*args, **options):
    return import_from_javascript("cloudflare:sockets").connect(*args, **options)


async def test_a_socket_reads_and_writes(runtime):
    server, port = await serve(shout)
    async with server:
        socket = connect(f"127.0.0.1:{port}")
        info = await socket.opened
        assert info.remoteAddress == f"127.0.0.1:{port}"
        assert info.localAddress is None
        writer, reader = socket.writable.getWriter(), socket.readable.getReader()
        await writer.write(to_js(b"hello\n"))
        assert (await reader.read()).value.to_bytes() == b"HELLO\n"
        await writer.close()
        await socket.closed
        assert (socket.constructor.name, socket.secureTransport, socket.upgraded) == ("Socket", "off", False)


async def test_the_other_side_may_end_it(runtime):
    async def goodbye(_reader, writer):
        writer.write(b"bye")
        writer.close()

    server, port = await serve(goodbye)
    async with server:
        socket = connect(Object.fromEntries(to_js([["hostname", "127.0.0.1"], ["port", port]])))
        assert b"".join([chunk.to_bytes() async for chunk in socket.readable]) == b"bye"
        await socket.closed


async def test_close(runtime):
    server, port = await serve(shout)
    async with server:
        socket = connect(f"127.0.0.1:{port}")
        await socket.opened
        await socket.close()
        await socket.closed


async def test_nobody_listens(runtime):
    server, port = await serve(shout)
    server.close()
    await server.wait_closed()
    text = "Error: proxy request failed, cannot connect to the specified address"
    socket = connect(f"127.0.0.1:{port}")
    assert await error_of(lambda: socket.opened) == ("pyodide.ffi.JsException", text)
    assert await error_of(lambda: socket.closed) == ("pyodide.ffi.JsException", text)


@pytest.mark.parametrize(
    ("args", "options", "text"),
    [
        (("nohost",), {}, "Specified address is missing port."),
        (("127.0.0.1:",), {}, "Specified address is missing port."),
        (("http://127.0.0.1:1",), {}, "Specified address is missing port."),
        (("127.0.0.1:port",), {}, "Specified address could not be parsed."),
        ((":80",), {}, "Specified address could not be parsed."),
        (("::1:1",), {}, "Specified address could not be parsed."),
        (("127.0.0.1:65536",), {}, "Specified address could not be parsed."),
        (("",), {}, "Specified address is missing hostname."),
        (("127.0.0.1:1/p",), {}, UNSUPPORTED),
        (("u@127.0.0.1:1",), {}, UNSUPPORTED),
        ((Object.fromEntries(to_js([["hostname", "x y"], ["port", 80]])),), {}, UNSUPPORTED),
        ((Object.new(),), {}, "The value cannot be converted because it is not an integer."),
        (
            (Object.fromEntries(to_js([["hostname", "x"], ["port", 70000]])),),
            {},
            "Value out of range. Must be less than or equal to 65535.",
        ),
        (
            (),
            {},
            "Cannot initialize N7workerd3api13SocketAddressE with required members from an undefined or null value.",
        ),
        (
            ("h:1", 5),
            {},
            "Failed to execute 'connect' on 'SocketsModule': parameter 2 is not of type 'SocketOptions'.",
        ),
        (("h:1",), {"secureTransport": "maybe"}, "Unsupported value in secureTransport socket option: maybe"),
    ],
)
async def test_what_connect_refuses(runtime, args, options, text):
    assert await error_of(lambda: connect(*args, **options)) == ("pyodide.ffi.JsException", f"TypeError: {text}")


async def test_start_tls_needs_its_option(runtime):
    server, port = await serve(shout)
    async with server:
        socket = connect(f"127.0.0.1:{port}")
        await socket.opened
        assert await error_of(socket.startTls) == (
            "pyodide.ffi.JsException",
            "TypeError: The `secureTransport` socket option must be set to 'starttls' for startTls to be used.",
        )
        await socket.close()
