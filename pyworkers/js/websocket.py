"""``WebSocket`` and ``WebSocketPair``.

Source: developers.cloudflare.com/workers/runtime-apis/websockets; texts: workerd, src/workerd/api/web-socket.c++
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final
from weakref import ref

from pyworkers.js.blob import Blob
from pyworkers.js.buffers import ArrayBuffer, JsBuffer
from pyworkers.js.events import (
    CloseEvent,
    ErrorEvent,
    Event,
    EventTarget,
    MessageEvent,
    report_error,
    uncaught,
)
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, jsnull, to_boolean, to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.serialization import deserialize, serialize
from pyworkers.js.values import JsException, JsObject, JsProxy, dom_exception, get_property, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, constructor_error, is_object, to_int
from pyworkers.js.websocket_link import Close, HostSocket, Lane, Message, lost

READY_STATES: Final = (0, 1, 2, 3)
CONNECTING, OPEN, CLOSING, CLOSED = READY_STATES
_MAX_ATTACHMENT_BYTES: Final = 16_384
_MAX_REASON_BYTES: Final = 123
_RESERVED_CODES: Final = frozenset({1004, 1005, 1006, 1015})
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z|~]+")
_NOT_ACCEPTED: Final = (
    "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."
)


class WebSocket(EventTarget, read_only="extensions protocol url"):
    """One end of a connection.

    Attributes:
        url, protocol, extensions: null, or text, for a connection made with ``new WebSocket(url)``.
    """

    on_handlers = ("onopen", "onmessage", "onclose", "onerror")
    CONNECTING, OPEN, CLOSING, CLOSED = READY_STATES
    static_CONNECTING, static_OPEN, static_CLOSING, static_CLOSED = READY_STATES
    READY_STATE_CONNECTING, READY_STATE_OPEN, READY_STATE_CLOSING, READY_STATE_CLOSED = READY_STATES
    static_READY_STATE_CONNECTING, static_READY_STATE_OPEN = READY_STATES[:2]
    static_READY_STATE_CLOSING, static_READY_STATE_CLOSED = READY_STATES[2:]

    def __init__(self, incoming: Lane, outgoing: Lane) -> None:
        super().__init__()
        standard = current_realm().compat.enabled("websocket_standard_binary_type")
        self._binary_type = "blob" if standard else "arraybuffer"
        self.url: Any = jsnull
        self.protocol: Any = ""
        self.extensions: Any = ""
        self._incoming, self._outgoing = incoming, outgoing
        self._state = "waiting"  # connecting | waiting | accepted | hibernatable | released
        self._half_open = False
        self._closed_incoming = self._closed_outgoing = self._failed = False
        self._attachment: bytes | None = None
        self._peer: ref[WebSocket] | None = None
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new WebSocket(url, protocols)``: connect to a server; ``open`` or ``error`` tells what came of it."""
        if not args:
            raise constructor_error("WebSocket", 1, "string")
        url, protocols = (*args, None)[:2]
        socket = cls(Lane(), Lane())
        socket.url = to_string(url)
        target, header = _handshake(socket.url, protocols)
        socket._state = "connecting"
        socket._begin(socket._connect(target, header))
        return socket

    # ---- the worker's side

    @property
    def readyState(self) -> int:
        """CONNECTING, OPEN, CLOSING (one side has closed) or CLOSED."""
        if self._failed or (self._closed_incoming and self._closed_outgoing):
            return CLOSED
        if self._closed_incoming or self._closed_outgoing:
            return CLOSING
        return CONNECTING if self._state == "connecting" else OPEN

    @property
    def binaryType(self) -> str:
        """What binary messages arrive as: ``blob`` or ``arraybuffer``."""
        return self._binary_type

    @binaryType.setter
    def binaryType(self, value: object) -> None:
        if value in ("blob", "arraybuffer"):  # anything else is ignored
            self._binary_type = str(value)

    @js_method
    def accept(self, options: object = None) -> None:
        """Begin to receive; option ``allowHalfOpen`` tells whether a close is left for the worker to answer."""
        if not (is_nullish(options) or is_object(options)):
            raise argument_error("WebSocket", "accept", 1, "AcceptOptions")
        if self._state == "connecting":
            raise type_error("Websockets obtained from the 'new WebSocket()' constructor cannot call accept")
        if self._state == "released":
            raise type_error("Can't accept() WebSocket that was already used in a response.")
        if self._state == "hibernatable":
            raise type_error("Can't accept() WebSocket after enabling hibernation.")
        if self._state == "waiting":
            half_open = get_property(options, "allowHalfOpen")
            automatic = current_realm().compat.enabled("web_socket_auto_reply_to_close")
            self._half_open = not automatic if half_open is None else to_boolean(half_open)
            self._state = "accepted"
            self._begin(self._deliver(self._dispatch_message))

    @js_method
    def send(self, message: Any = MISSING) -> None:
        """Send bytes, or anything else as text; a copy is taken."""
        data = _outgoing_data(message)
        if self._closed_outgoing:
            raise type_error("Can't call WebSocket send() after close().")
        if self._failed or self._state == "released":
            return
        if self._state not in ("accepted", "hibernatable"):
            raise type_error(_NOT_ACCEPTED)
        self._outgoing.put(data)

    @js_method
    def close(self, code: object = None, reason: object = None) -> None:
        """Send a close frame; a second one is ignored."""
        frame = _close_frame(code, reason)
        if self._state == "connecting":
            self._state = "released"
            return
        if self._closed_outgoing or self._failed or self._state == "released":
            return
        if self._state not in ("accepted", "hibernatable"):
            raise type_error(_NOT_ACCEPTED)
        self._closed_outgoing = True
        self._outgoing.put(frame)

    @js_method
    def serializeAttachment(self, value: Any = MISSING) -> None:
        """Keep a copy of a value with the connection, through hibernation."""
        if value is MISSING:
            raise argument_error("WebSocket", "serializeAttachment", 1, "JsValue")
        data = serialize(value)
        if len(data) > _MAX_ATTACHMENT_BYTES:
            raise JsException(
                "Error",
                f"A WebSocket 'attachment' cannot be larger than {_MAX_ATTACHMENT_BYTES} bytes.'attachment' was "
                f"{len(data)} bytes.",
            )
        self._attachment = data

    @js_method
    def deserializeAttachment(self) -> Any:
        """Return a copy of the value of `serializeAttachment`, or null."""
        return jsnull if self._attachment is None else deserialize(self._attachment)

    # ---- the host's side

    def couple(self) -> HostSocket:
        """Take this end out of the worker's hands, for a server to couple with a client's connection.

        Raises:
            JsException: TypeError, where the worker uses the end itself.
        """
        self._check_free()
        self._state = "released"
        return HostSocket(self._incoming, self._outgoing)

    def accept_hibernatable(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        """Begin to receive without listeners: each message, the closing one too, is awaited by ``deliver``."""
        if self._state != "waiting":
            raise JsException(
                "Error", "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`"
            )
        peer = None if self._peer is None else self._peer()
        if peer is not None and peer._state != "waiting":
            raise JsException(
                "Error",
                "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used "
                "in a Response.",
            )
        self._half_open = not current_realm().compat.enabled("web_socket_auto_reply_to_close")
        self._state = "hibernatable"
        self._begin(self._deliver(deliver))

    def answer(self, text: str) -> None:
        """Send a text for an object that sleeps on."""
        if not self._closed_outgoing:
            self._outgoing.put(text)

    def disconnect(self) -> None:
        """Break the connection: the other end sees it go without a close frame."""
        self._failed = True
        self._outgoing.put(lost())
        if self._task is not None:
            self._task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # A worker may drop both ends without closing them; nothing is wrong then.
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch for it
        self._task = task

    def _check_free(self) -> None:
        texts = {
            "connecting": "Can't return WebSocket in a Response if it was created with `new WebSocket()`",
            "released": "Can't return WebSocket that was already used in a response.",
            "hibernatable": "Can't return WebSocket in a Response after calling acceptWebSocket().",
            "accepted": "Can't return WebSocket in a Response after calling accept().",
        }
        if self._state in texts:
            raise type_error(texts[self._state])

    async def _deliver(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        """Hand over messages one by one, each in a turn of its own, in the context that accepted."""
        while True:
            message = await self._incoming.get()
            if isinstance(message, Close):
                if message.error:
                    self._fail(JsException("Error", message.error))
                    return
                if message.was_clean:
                    self._received_close(message)
                else:
                    self._outgoing.is_closed = True  # what is sent from now on is dropped
                await deliver(message)
                self._closed_incoming = True
                return
            await deliver(message)
            if self._failed:
                return
            await asyncio.sleep(0)

    def _received_close(self, frame: Close) -> None:
        self._closed_incoming = True
        if not self._half_open and not self._closed_outgoing:
            self._closed_outgoing = True
            self._outgoing.put(Close(frame.code, frame.reason))

    async def _dispatch_message(self, message: Message) -> None:
        event: Event
        if isinstance(message, Close):
            event = CloseEvent(code=message.code, reason=message.reason, was_clean=message.was_clean)
        elif isinstance(message, str):
            event = MessageEvent(data=message)
        else:
            event = MessageEvent(data=Blob(message) if self._binary_type == "blob" else ArrayBuffer(message))
        errors: list[BaseException] = []

        def on_error(error: BaseException) -> None:
            errors.append(error)
            event.stopImmediatePropagation()

        self.dispatch(event, on_error=on_error)
        if errors:
            report_error(errors[0])
            self._fail(errors[0])

    def _fail(self, error: BaseException) -> None:
        """End the connection without a close frame, as the platform does when a listener raises."""
        self._failed = self._closed_incoming = True
        self._outgoing.put(lost())
        self.dispatch(ErrorEvent(message=uncaught(error), error=error))

    async def _connect(self, url: str, protocols: str) -> None:
        """Make the handshake, then deliver what comes."""
        try:
            peer = await _open(url, protocols)
        except Exception as error:
            if self._state == "released":
                return
            self._failed = True
            self.dispatch(ErrorEvent(message=uncaught(error), error=error))
            self.dispatch(CloseEvent(code=1006, reason="Failed to establish websocket connection"))
            return
        socket, protocol, extensions = peer
        if self._state == "released":  # closed in the meantime
            await socket.couple().close(1000)
            return
        self._incoming, self._outgoing = socket._incoming, socket._outgoing
        socket._state, self._state = "released", "accepted"
        self.protocol, self.extensions = protocol, extensions
        self.dispatch(Event("open"))
        await self._deliver(self._dispatch_message)


class WebSocketPair(JsProxy, read_only="0 1"):
    """Two ends that are connected: ``0`` for the client, ``1`` for the worker."""

    def __init__(self) -> None:
        forth, back = Lane(), Lane()
        self.sockets = (WebSocket(back, forth), WebSocket(forth, back))
        self.sockets[0]._peer, self.sockets[1]._peer = ref(self.sockets[1]), ref(self.sockets[0])

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new WebSocketPair()``."""
        return cls()

    def own_properties(self) -> dict[str, object]:
        """The ends, under ``0`` and ``1``."""
        return {"0": self.sockets[0], "1": self.sockets[1]}

    def __getattr__(self, name: str) -> Any:
        if name in ("0", "1"):
            return self.sockets[int(name)]
        return super().__getattr__(name)

    def __iter__(self) -> Iterator[WebSocket]:
        return iter(self.sockets)


class WebSocketRequestResponsePair(JsProxy, read_only="request response"):
    """A text that a hibernating object answers without waking up."""

    def __init__(self, request: str, response: str) -> None:
        self.request = request
        self.response = response

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new WebSocketRequestResponsePair(request, response)``."""
        if len(args) < 2:
            raise constructor_error("WebSocketRequestResponsePair", len(args) + 1, "string")
        return cls(to_string(args[0]), to_string(args[1]))

    def own_properties(self) -> dict[str, object]:
        """Nothing: both are accessors of the class."""
        return {}


def _outgoing_data(message: Any) -> str | bytes:
    if isinstance(message, JsBuffer):
        return bytes(message.view)
    if message is MISSING:
        raise argument_error("WebSocket", "send", 1, "ArrayBuffer or ArrayBufferView or string")
    text = to_string(message)
    # A lone surrogate travels as three bytes, and arrives as three wrong ones.
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _close_frame(code: object, reason: object) -> Close:
    text = "" if reason is None else to_string(reason)
    if code is None:
        if reason is not None:
            raise dom_exception(
                "InvalidAccessError", "If you specify a WebSocket close reason, you must also specify a code."
            )
        return Close()
    number = to_int(code)
    if not 1000 <= number < 5000 or number in _RESERVED_CODES:
        raise dom_exception("InvalidAccessError", f"Invalid WebSocket close code: {number}.")
    if len(text.encode("utf-8", "surrogatepass")) > _MAX_REASON_BYTES and current_realm().compat.enabled(
        "websocket_close_reason_byte_limit"
    ):
        raise dom_exception(
            "SyntaxError", "WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded."
        )
    return Close(number, text)


def _handshake(url: str, protocols: object) -> tuple[str, str]:
    """Check the arguments of ``new WebSocket``; return the HTTP URL and the protocol header."""
    from pyworkers.js.url import parse_url

    record = parse_url(url)
    if record is None:
        raise _syntax_error("The url is invalid.")
    if record.protocol not in ("ws:", "wss:"):
        raise _syntax_error("The url scheme must be ws or wss.")
    if record.hash:
        raise _syntax_error("The url fragment must be empty.")
    href = re.sub("^ws", "http", record.href)
    if protocols is None:
        return href, ""
    if not isinstance(protocols, JsArray):
        if not _TOKEN.fullmatch(to_string(protocols)):
            raise _syntax_error("The protocol header token is invalid.")
        return href, to_string(protocols)
    names = [to_string(name) for name in protocols]
    if not names:
        return href, ""
    if not all(_TOKEN.fullmatch(name) for name in names):
        raise _syntax_error("One of the protocol header tokens is invalid.")
    if len(set(names)) != len(names):
        raise _syntax_error("The protocols header cannot have repeating values.")
    return href, ", ".join(names)


async def _open(url: str, protocols: str) -> tuple[WebSocket, Any, Any]:
    """Fetch with an upgrade; returns the socket and what was chosen of protocols and extensions."""
    from pyworkers.js.fetch import fetch

    headers = {"Upgrade": "websocket", **({"Sec-WebSocket-Protocol": protocols} if protocols else {})}
    response = await fetch(url, JsObject({"headers": JsObject(headers)}))
    if response.status != 101:
        await _drop_body(response)
        raise type_error(
            "Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 "
            f"(switching protocols), but received {response.status} instead."
        )
    socket = response.webSocket
    if not isinstance(socket, WebSocket):
        raise type_error("Worker received body in a response to a request for a WebSocket.")
    chosen = (response.headers.get(f"sec-websocket-{name}") for name in ("protocol", "extensions"))
    return (socket, *(jsnull if is_nullish(value) else value for value in chosen))  # type: ignore[return-value]  # two


async def _drop_body(response: Any) -> None:
    body = response.take_body()
    if hasattr(body, "chunks"):
        await body.chunks().aclose()


def _syntax_error(text: str) -> JsException:
    return dom_exception("SyntaxError", f"WebSocket Constructor: {text}")
