"""`env.AI`: the object that a worker finds.

Source: workerd src/cloudflare/internal/ai-api.ts
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from pyworkers.bindings.ai.service import JSON_TYPE, AIReply, AIService
from pyworkers.bindings.ai.values import from_js, stream_keys, to_js_value
from pyworkers.js.abort import AbortSignal
from pyworkers.js.fetch import unless_aborted
from pyworkers.js.headers import Headers
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, jsnull, to_boolean, to_string
from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsProxy, get_property, js_method
from pyworkers.js.webidl import field_error

__all__ = ["Ai", "StreamBody"]

# Of the options, these are the binding's own and are not sent on.
_OWN_OPTIONS = frozenset({"prefix", "extraHeaders", "sessionOptions", "signal"})


class Ai(JsProxy, js_name="Ai"):
    """The AI binding.

    Args:
        service: answers the calls.
    """

    def __init__(self, service: AIService) -> None:
        self._service = service
        self.lastRequestId: object = jsnull
        self.aiGatewayLogId: object = jsnull
        self.lastRequestHttpStatusCode: object = jsnull
        self.lastRequestInternalStatusCode: object = jsnull

    def own_properties(self) -> dict[str, object]:
        """Return what the last call left, which is all that is enumerable."""
        names = ("lastRequestId", "aiGatewayLogId", "lastRequestHttpStatusCode", "lastRequestInternalStatusCode")
        return {name: getattr(self, name) for name in names}

    @js_async
    async def run(self, model: Any = None, inputs: Any = None, options: Any = None) -> Any:
        """Run a model: an object, or a stream of bytes where the model answers with one.

        Raises:
            JsException: the service's error, by its own name, its text `code: description`; AiInternalError for inputs
                that cannot be sent; the reason of the option `signal` once that is aborted, also while the stream is
                read.
        """
        self.lastRequestId = ""
        self._check_streams(inputs, options)
        signal = _signal(options)
        name = to_string(model)
        prefix = get_property(options, "prefix")
        sent = from_js(options)
        sent = {key: value for key, value in sent.items() if key not in _OWN_OPTIONS} if isinstance(sent, dict) else {}
        if signal is not None:
            signal.throwIfAborted()
        asked = f"{to_string(prefix)}:{name}" if not is_nullish(prefix) and prefix else name
        reply = await unless_aborted(signal, self._service.run(asked, from_js(inputs), sent))
        self.lastRequestId = reply.request_id
        self.aiGatewayLogId = jsnull
        self.lastRequestHttpStatusCode = reply.status
        if to_boolean(get_property(options, "returnRawResponse")):
            return response_of(reply, signal)
        if reply.status != 200:
            raise self._failure(reply)
        if reply.content_type == JSON_TYPE:
            return to_js_value(reply.json())
        return stream_of(reply, signal)

    @js_async
    async def models(self, params: Any = None) -> JsArray:
        """Search the platform's catalogue."""
        wanted = from_js(params)
        found: JsArray = to_js_value(self._service.models(wanted if isinstance(wanted, Mapping) else {}))
        return found

    @js_method
    def getLogs(self) -> JsArray:
        """Deprecated by the platform; always empty."""
        return JsArray()

    @js_method
    def gateway(self, _gateway_id: object = None) -> JsProxy:
        """AI Gateway runs only at Cloudflare: every method of what this returns says so."""
        return RemoteOnly("AiGateway", "AiGatewayInternalError", "AI Gateway")

    @js_method
    def autorag(self, _autorag_id: object = None) -> JsProxy:
        """AutoRAG runs only at Cloudflare: every method of what this returns says so."""
        return RemoteOnly("AutoRAG", "AutoRAGInternalError", "AutoRAG")

    @js_method
    def aiSearch(self) -> JsProxy:
        """AI Search runs only at Cloudflare: every method of what this returns says so."""
        return RemoteOnly("AiSearch", "AiSearchInternalError", "AI Search")

    @js_method
    def toMarkdown(self, files: object = None, _options: object = None) -> Any:
        """Document conversion runs only at Cloudflare."""
        service = RemoteOnly("ToMarkdownService", "AiInternalError", "toMarkdown")
        return service if is_nullish(files) else service.transform()

    @js_async
    async def fetch(self, input: Any = None, init: Any = None) -> Any:
        """Call the service over HTTP, as old versions of the platform's own package do."""
        request = Request.js_new(input, init)
        try:
            body = json.loads(await request.text())
        except ValueError:
            body = None
        model = request.headers.get("cf-consn-model-id")
        fields = body if isinstance(body, Mapping) else {}
        options = fields.get("options")
        return response_of(
            await self._service.run(
                to_string(model), fields.get("inputs"), options if isinstance(options, Mapping) else {}
            )
        )

    @staticmethod
    def _check_streams(inputs: object, options: object) -> None:
        keys = stream_keys(inputs)
        if len(keys) > 1:
            raise JsException(
                "AiInternalError",
                f"Multiple ReadableStreams are not supported. Found streams in keys: [{', '.join(keys)}]",
            )
        if not keys:
            return
        gateway = get_property(options, "gateway")
        if not is_nullish(gateway) and to_boolean(get_property(gateway, "id")):
            raise JsException("AiInternalError", "AI Gateway does not support ReadableStreams yet.")
        if not to_boolean(get_property(get_property(inputs, keys[0]), "contentType")):
            raise JsException("AiInternalError", "Content-Type is required with ReadableStream inputs")

    def _failure(self, reply: AIReply) -> JsException:
        body = reply.json()
        self.lastRequestInternalStatusCode = body["internalCode"]
        return JsException(body["name"], f"{body['internalCode']}: {body['description']}")


class RemoteOnly(JsProxy, js_name="Object"):
    """Something of the platform that has no local form; its methods reject.

    Args:
        error: the name of the error.
        title: what the user knows it as.
    """

    def __init__(self, kind: str, error: str, title: str) -> None:
        self._kind, self._error, self._title = kind, error, title

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        error = JsException(
            self._error, f"{self._title} runs only at Cloudflare; {self._kind}.{name}() has no local form"
        )

        async def reject() -> None:
            raise error

        return lambda *_args, **_kwargs: JsPromise.run(reject())


class StreamBody:
    """The bytes of a stream, as something that can be closed while it is being read.

    A generator cannot be: it says that it is already running. A client that goes away must stop the model at once.

    Args:
        signal: stops the generation when it is aborted, and reads raise its reason then.
    """

    def __init__(self, pieces: AsyncIterator[bytes], signal: AbortSignal | None = None) -> None:
        self._pieces = pieces
        self._reading: asyncio.Task[bytes] | None = None
        self._is_closed = False
        self._signal = signal
        self._closing: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = _nothing if signal is None else signal.subscribe(self._on_abort)

    def __aiter__(self) -> StreamBody:
        return self

    async def __anext__(self) -> bytes:
        self._raise_if_aborted()
        if self._is_closed:
            raise StopAsyncIteration
        self._reading = asyncio.get_running_loop().create_task(_next(self._pieces))
        try:
            piece = await self._reading
        except asyncio.CancelledError:
            self._raise_if_aborted()
            if self._is_closed:
                raise StopAsyncIteration from None
            raise
        finally:
            self._reading = None
        if not piece:
            self._unsubscribe()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Stop the generation; a read that waits ends."""
        self._is_closed = True
        self._unsubscribe()
        reading = self._reading
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
        aclose = getattr(self._pieces, "aclose", None)
        if aclose is not None:
            await aclose()

    def _on_abort(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.aclose())

    def _raise_if_aborted(self) -> None:
        if self._signal is not None and self._closing is not None:
            raise self._signal.error()


def _nothing() -> None:
    return None


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    """Return the next piece, empty at the end: a task cannot raise StopAsyncIteration."""
    async for piece in pieces:
        return piece
    return b""


def stream_of(reply: AIReply, signal: AbortSignal | None = None) -> ReadableStream:
    """Return a reply's body as a stream of bytes, which the signal breaks."""
    if isinstance(reply.body, bytes):
        return ReadableStream.of_bytes(reply.body)
    return ReadableStream.of_async_iterator(StreamBody(reply.body, signal))


def response_of(reply: AIReply, signal: AbortSignal | None = None) -> Response:
    """Return a reply as a Response."""
    raw = [(b"content-type", reply.content_type.encode()), (b"cf-ai-req-id", reply.request_id.encode())]
    body = reply.body if isinstance(reply.body, bytes) else stream_of(reply, signal)
    return Response(body, status=reply.status, headers=Headers(raw))


def _signal(options: object) -> AbortSignal | None:
    """Return the option `signal`, which the platform hands to its `fetch`."""
    signal = get_property(options, "signal")
    if is_nullish(signal):
        return None
    if not isinstance(signal, AbortSignal):
        raise field_error("RequestInitializerDict", "signal", "AbortSignal")
    return signal
