"""``cloudflare:sockets``: TCP from a worker.

Source: developers.cloudflare.com/workers/runtime-apis/tcp-sockets; texts: observed on workerd
"""

from __future__ import annotations

import asyncio
import math
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final

from pyworkers.js.buffers import JsBuffer, bytes_of
from pyworkers.js.primitives import is_nullish, jsnull, to_boolean, to_number, to_string
from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.streams.writable import WritableStream
from pyworkers.js.url import parse_url
from pyworkers.js.values import JsException, JsObject, JsProxy, get_property, js_arguments, type_error
from pyworkers.js.webidl import argument_error, is_object

CHUNK_BYTES: Final = 65536
_TRANSPORTS: Final = ("off", "on", "starttls")
_REFUSED: Final = "proxy request failed, cannot connect to the specified address"
_IS_HTTP: Final = (
    ". It looks like you might be trying to connect to a HTTP-based service — consider using fetch instead"
)
_LOST: Final = "Network connection lost."
_CLOSING: Final = "This WritableStream belongs to an object that is closing."
_NOT_BYTES: Final = (
    "This TransformStream is being used as a byte stream, but received a string on its writable side. If you wish to "
    "write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."
)
_ADDRESS: Final = re.compile(r"[-._\[\]:0-9A-Za-z]+")
_MAX_ADDRESS: Final = 255
_MAX_PORT: Final = 65_535
_HTTP_PORTS: Final = (80, 443)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Sockets(JsProxy, js_name="Module"):
    """The module."""

    def connect(self, *args: Any, **kwargs: Any) -> Socket:
        """``connect(address, {secureTransport, allowHalfOpen})``: a socket that is being opened.

        Args:
            args: the address, ``host:port`` or ``{hostname, port}``, and the options.

        Raises:
            JsException: TypeError, when the address or an option cannot be used.
        """
        given = js_arguments(args, kwargs)
        address, options = (*given, None, None)[:2]
        if options is jsnull:
            raise _nothing_to_read("SocketOptions")
        if options is not None and not is_object(options):
            raise argument_error("SocketsModule", "connect", 2, "SocketOptions")
        transport = get_property(options, "secureTransport")
        transport = "off" if transport is None else to_string(transport)
        if transport not in _TRANSPORTS:
            raise type_error(f"Unsupported value in secureTransport socket option: {transport}")
        host, port = _parse(address)
        host, port = current_realm().hosts.get(f"{host}:{port}", (host, port))
        return Socket(host, port, transport, half_open=to_boolean(get_property(options, "allowHalfOpen")))


class Socket(JsProxy, read_only="closed opened readable secureTransport upgraded writable"):
    """A TCP connection: two byte streams.

    Attributes:
        opened: settles once connected, with ``{remoteAddress, localAddress}``; the latter is undefined, as observed.
        closed: settles once both directions are closed.
    """

    def __init__(self, host: str, port: int, transport: str, *, half_open: bool, over: Socket | None = None) -> None:
        self.secureTransport = transport
        self.upgraded = False
        self.readable = ReadableStream.of_async_iterator(self._chunks())
        methods = {"write": self._write, "close": self._end, "abort": self._abort}
        self.writable = WritableStream.js_new(JsObject(methods))
        self.closed = JsPromise().mark_handled()
        self._host, self._port, self._half_open, self._over = host, port, half_open, over
        self._connection: Connection | None = None
        self._connecting = asyncio.ensure_future(self._open())
        self.opened = JsPromise.run(self._info()).mark_handled()

    @js_async
    async def close(self) -> JsPromise:
        """Close both directions."""
        await self._end()
        self.writable.sink.fail(type_error(_CLOSING))
        return self.closed

    def startTls(self, *_: object) -> Socket:
        """Return a new socket that goes on encrypted; this one is done.

        Raises:
            JsException: TypeError, when the socket was not opened with ``starttls``, or was upgraded before.
        """
        if self.secureTransport == "on":
            raise type_error("Cannot startTls on a TLS socket.")
        if self.secureTransport != "starttls":
            raise type_error("The `secureTransport` socket option must be set to 'starttls' for startTls to be used.")
        if self.upgraded:
            raise type_error("startTls can only be called once.")
        self.upgraded = True
        return Socket(self._host, self._port, "on", half_open=self._half_open, over=self)

    # ---- how it works

    async def _open(self) -> Connection:
        context = ssl.create_default_context() if self.secureTransport == "on" else None
        try:
            if self._over is not None:
                reader, writer = await self._over._connecting
                await writer.start_tls(context or ssl.create_default_context(), server_hostname=self._host)
                self._over.closed.resolve()
            else:
                reader, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        except OSError as error:
            failure = JsException("Error", _REFUSED + (_IS_HTTP if self._port in _HTTP_PORTS else ""))
            self.closed.reject(failure)
            raise failure from error
        self._connection = reader, writer
        return reader, writer

    async def _info(self) -> JsObject:
        _reader, writer = await self._connecting
        remote = writer.get_extra_info("peername")
        return JsObject({"remoteAddress": f"{remote[0]}:{remote[1]}", "localAddress": None})

    async def _chunks(self) -> AsyncIterator[bytes]:
        reader, _writer = await self._connecting
        try:
            while not self.upgraded and (chunk := await reader.read(CHUNK_BYTES)):
                yield chunk
        except OSError as error:
            raise JsException("Error", _LOST) from error
        if not self._half_open and not self.upgraded:
            await self._end()

    async def _write(self, chunk: Any) -> None:
        if isinstance(chunk, str):
            raise type_error(_NOT_BYTES)
        if not isinstance(chunk, JsBuffer):
            raise type_error("This WritableStream only supports writing byte types.")
        _reader, writer = await self._connecting
        try:
            writer.write(bytes_of(chunk))
            await writer.drain()
        except OSError as error:
            raise JsException("Error", _LOST) from error

    async def _end(self) -> None:
        if self.upgraded or self.closed.is_settled:
            return
        _reader, writer = await self._connecting
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass  # the other side was faster
        self.closed.resolve()

    async def _abort(self, _reason: object = None) -> None:
        await self._end()


def _parse(address: Any) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``{hostname, port}``; port 0 is one that nobody listens on."""
    if is_nullish(address):
        raise _nothing_to_read("SocketAddress")
    if is_object(address):
        host = to_string(get_property(address, "hostname"))
        port = _port(get_property(address, "port"))
        text = f"{host}:{port}"
    else:
        text = to_string(address)
        host, port = _split(text)
    if len(text) > _MAX_ADDRESS or not _ADDRESS.fullmatch(text):
        raise type_error("Specified address is empty string, contains unsupported characters or is too long.")
    return host.strip("[]"), port


def _split(text: str) -> tuple[str, int]:
    if not text:
        raise type_error("Specified address is missing hostname.")
    parsed = parse_url(f"https://{text}")
    if parsed is None:
        raise type_error("Specified address could not be parsed.")
    if not parsed.port and not text.endswith(":443"):  # the scheme's own port is not shown
        raise type_error("Specified address is missing port.")
    return parsed.hostname, int(parsed.port or 443)


def _port(value: Any) -> int:
    number = to_number(value)
    if not math.isfinite(number):
        raise type_error("The value cannot be converted because it is not an integer.")
    if number < 0:
        raise type_error(
            "The value cannot be converted because it is negative and this API expects a positive integer."
        )
    if number > _MAX_PORT:
        raise type_error(f"Value out of range. Must be less than or equal to {_MAX_PORT}.")
    return int(number)


def _nothing_to_read(name: str) -> JsException:
    # The platform prints the C++ name of its own type here.
    return type_error(
        f"Cannot initialize N7workerd3api{len(name)}{name}E with required members from an undefined or null value."
    )
