"""``cloudflare:sockets``: TCP from a worker.

Source: developers.cloudflare.com/workers/runtime-apis/tcp-sockets
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final

from pyworkers.js.buffers import JsBuffer, bytes_of
from pyworkers.js.primitives import is_nullish, to_boolean, to_string
from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.streams.writable import WritableStream
from pyworkers.js.values import JsException, JsObject, JsProxy, get_property, js_arguments, type_error

CHUNK_BYTES: Final = 65536
_TRANSPORTS: Final = ("off", "on", "starttls")
_REFUSED: Final = "proxy request failed, cannot connect to the specified address"
_LOST: Final = "Network connection lost."

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
        address, options = (*js_arguments(args, kwargs), None, None)[:2]
        transport = get_property(options, "secureTransport")
        transport = "off" if transport is None else to_string(transport)
        if transport not in _TRANSPORTS:
            raise type_error(f"Unsupported value in secureTransport socket option: {transport}")
        host, port = _parse(address)
        host, port = current_realm().hosts.get(f"{host}:{port}", (host, port))
        return Socket(host, port, transport, half_open=to_boolean(get_property(options, "allowHalfOpen")))


class Socket(JsProxy):
    """A TCP connection: two byte streams.

    Attributes:
        opened: settles once connected, with ``{remoteAddress, localAddress}``.
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
            failure = JsException("Error", _REFUSED)
            self.closed.reject(failure)
            raise failure from error
        self._connection = reader, writer
        return reader, writer

    async def _info(self) -> JsObject:
        _reader, writer = await self._connecting
        local, remote = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
        return JsObject({"remoteAddress": f"{remote[0]}:{remote[1]}", "localAddress": f"{local[0]}:{local[1]}"})

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
    if isinstance(address, JsProxy):
        host, port = to_string(get_property(address, "hostname")), to_string(get_property(address, "port"))
    else:
        host, colon, port = ("" if is_nullish(address) else to_string(address)).rpartition(":")
        if not colon:
            raise type_error("Specified address is missing port.")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise type_error("Specified address could not be parsed.")
    return host.strip("[]"), int(port)
