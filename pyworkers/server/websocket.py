"""WebSocket upgrades: a worker's ``Response(null, {status: 101, webSocket})`` coupled with the client's connection.

Any other response to an upgrade is sent as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsException
from pyworkers.js.websocket_link import Close, HostSocket, protocol_failure
from pyworkers.server.egress import send_response
from pyworkers.server.exchange import Exchange
from pyworkers.server.front import Front
from pyworkers.server.ingress import Message, Receive, Scope, Send, lazy_request
from pyworkers.server.wire import SPELLING

if TYPE_CHECKING:
    from pyworkers.runtime.runtime import Runtime

_SWITCHING: Final = 101
_NO_CODE: Final = 1005  # stands for a frame without a code, and may not be sent itself
_LOST: Final = 1006
_OURS: Final = (1002, 1007, 1009)  # codes that the server sends of its own when the client breaks the rules
_NO_SOCKET: Final = "Worker returned a response with status 101 and no WebSocket."
_HANDSHAKE: Final = frozenset(
    (b"upgrade", b"connection", b"sec-websocket-accept", b"content-length", b"transfer-encoding")
)


async def serve_websocket(
    scope: Scope,
    receive: Receive,
    send: Send,
    runtime: Runtime,
    make_exchange: Callable[[Scope, Send], Exchange],
    front: Front,
) -> None:
    """Serve one upgrade request, and the connection that comes of it."""
    await receive()  # "websocket.connect"
    scope = {**scope, "method": "GET"}
    exchange = make_exchange(scope, _as_http(send))
    socket: HostSocket | None = None
    try:
        isolate = runtime.primary
        request: Request = lazy_request(scope, None, front)
        response = await isolate.fetch(request, event=exchange.open(isolate))
        exchange.status = response.status
        if response.status == _SWITCHING:
            socket = _couple(response)
            headers = [pair for pair in response.header_list() if pair[0] not in _HANDSHAKE]
            await send({"type": "websocket.accept", "headers": headers})
        else:
            rest = send_response(response, scope, _as_http(send), on_stream=exchange.on_stream, front=front)
            if rest is not None:
                await rest
    except asyncio.CancelledError:
        await exchange.cancelled(is_gone=True)
    except OSError:
        await exchange.cancelled(is_gone=True)  # the client left before the handshake was done
    except BaseException as error:
        await exchange.failed(error)
    exchange.finish()
    if socket is not None:
        await _join(socket, receive, send)


def _couple(response: Response) -> HostSocket:
    if response.web_socket is None:
        raise JsException("TypeError", _NO_SOCKET)
    socket: HostSocket = response.web_socket.couple()
    return socket


async def _join(socket: HostSocket, receive: Receive, send: Send) -> None:
    """Carry messages both ways until the client's side has ended, or the worker broke the connection.

    Returning without a close frame drops the connection.
    """
    loop = asyncio.get_running_loop()
    tasks = {loop.create_task(_to_worker(socket, receive)), loop.create_task(_to_client(socket, send))}
    try:
        pending = tasks
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if any(task.result() for task in done):
                return
    except asyncio.CancelledError:
        socket.abort()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _to_client(socket: HostSocket, send: Send) -> bool:
    """Send until the worker's last message; tells whether the connection is over with it."""
    try:
        while True:
            message = await socket.receive()
            if isinstance(message, Close):
                if message.code == _LOST:
                    return True
                code = None if message.code == _NO_CODE else message.code
                await send({"type": "websocket.close", "code": code, "reason": message.reason})
                return False
            await send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})
    except OSError:
        return False  # the client has gone, which the other direction hears too


async def _to_worker(socket: HostSocket, receive: Receive) -> bool:
    """Hand on what comes until the end of the connection."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            # uvicorn gives a reason, be it empty, where there was a close frame.
            reason = message.get("reason")
            if reason is None:
                socket.abort()
            elif message["code"] in _OURS:
                await socket.deliver(protocol_failure(message["code"], reason))
            else:
                await socket.close(message["code"] or _NO_CODE, reason)
            return True
        text = message.get("text")
        await socket.send(text if text is not None else message["bytes"])


def _as_http(send: Send) -> Send:
    """Return a way to send an ordinary response in place of the handshake's."""

    async def send_http(message: Message) -> None:
        headers = [(SPELLING.get(name, name), value) for name, value in message.get("headers", ())]
        more = {"headers": headers} if headers else {}
        await send({**message, **more, "type": f"websocket.{message['type']}"})

    return send_http
