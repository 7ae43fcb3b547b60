"""``ctx`` of a Durable Object.

Source: recorded, contracts/do, do.ctx.* and do.ws.*; workerd src/workerd/api/actor-state.c++
"""

from __future__ import annotations

from typing import Any, Final

from pyworkers.bindings.durable.host import ObjectHost
from pyworkers.bindings.durable.ids import DurableObjectId
from pyworkers.bindings.durable.storage import DurableObjectStorage
from pyworkers.js.dates import Date
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull, to_string
from pyworkers.js.promise import JsPromise, is_thenable
from pyworkers.js.values import (
    JsException,
    JsObject,
    JsProxy,
    call,
    get_property,
    is_callable,
    js_method,
    range_error,
    type_error,
)
from pyworkers.js.webidl import (
    MISSING,
    argument_error,
    field_error,
    is_object,
    scalar_string,
    string_argument,
    to_uint32,
)
from pyworkers.js.websocket import WebSocket, WebSocketRequestResponsePair

MAX_TAGS: Final = 10
MAX_TAG_CHARACTERS: Final = 256
MAX_AUTO_RESPONSE_BYTES: Final = 2048
MAX_EVENT_TIMEOUT_MS: Final = 604_800_000
ABORTED: Final = "Application called abort() to reset Durable Object."


class DurableObjectState(JsProxy):
    """``ctx``.

    Args:
        host: runs the object.
        object_id: whose it is.
    """

    def __init__(self, host: ObjectHost, object_id: DurableObjectId) -> None:
        self._host = host
        self.id = object_id
        self.container = None
        self._storage: DurableObjectStorage | None = None
        self._facets: DurableObjectFacets | None = None

    @property
    def storage(self) -> DurableObjectStorage:
        """What the object stores."""
        if self._storage is None:
            self._storage = DurableObjectStorage(self._host)
        return self._storage

    @property
    def facets(self) -> DurableObjectFacets:
        """Objects within the object."""
        if self._facets is None:
            self._facets = DurableObjectFacets(self._host)
        return self._facets

    @property
    def props(self) -> JsObject:
        """What whoever made the stub passes along."""
        return self._host.props

    @property
    def exports(self) -> JsObject:
        """The worker's own entrypoints and classes."""
        return self._host.exports

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        names = ("facets", "container", "storage", "id", "props", "exports")
        return {name: getattr(self, name) for name in names}

    @js_method
    def waitUntil(self, promise: Any = MISSING) -> None:
        """Keep the object in memory until ``promise`` has settled."""
        if promise is MISSING:
            raise self._wrong("waitUntil", "Promise")
        if is_thenable(promise):
            self._host.keep_alive(promise)

    @js_method
    def blockConcurrencyWhile(self, callback: Any = MISSING) -> JsPromise:
        """Run an async function while no other event of the object goes on; its error resets the object."""
        if not is_callable(callback):
            return JsPromise.rejected(self._wrong("blockConcurrencyWhile", "function"))
        return self._host.run_exclusively(lambda: call(callback), resets=True)

    @js_method
    def abort(self, reason: Any = None) -> None:
        """Reset the object: its events fail, what is not committed is lost."""
        error = JsException("Error", ABORTED if reason is None else to_string(reason))
        is_running = self._host.is_running
        self._host.abort(error)
        if is_running:
            raise error

    # ---- hibernatable WebSockets

    @js_method
    def acceptWebSocket(self, socket: Any = MISSING, tags: Any = None) -> None:
        """Take a socket over: it stays open while the object is not in memory."""
        if not isinstance(socket, WebSocket):
            raise self._wrong("acceptWebSocket", "WebSocket")
        if tags is not None and not isinstance(tags, JsArray):
            raise argument_error(self.js_name, "acceptWebSocket", 2, "Array")
        names = tuple(dict.fromkeys(scalar_string(to_string(tag)) for tag in tags.items_)) if tags is not None else ()
        if tags is not None and len(tags.items_) > MAX_TAGS:
            raise JsException("Error", f"a Hibernatable WebSocket cannot have more than {MAX_TAGS} tags")
        for name in names:
            if len(name) > MAX_TAG_CHARACTERS:
                raise JsException(
                    "Error", f'"{name}" is longer than the max tag length ({MAX_TAG_CHARACTERS} characters).'
                )
        self._host.sockets.accept(socket, names)

    @js_method
    def getWebSockets(self, tag: Any = None) -> JsArray:
        """Return the hibernatable sockets that have a tag, or all of them; the latest of all is the first."""
        return JsArray(self._host.sockets.tagged(None if tag is None else to_string(tag)))

    @js_method
    def getTags(self, socket: Any = MISSING) -> JsArray:
        """Return a socket's tags."""
        if not isinstance(socket, WebSocket):
            raise self._wrong("getTags", "WebSocket")
        tags = self._host.sockets.tags_of(socket)
        if tags is None:
            raise JsException(
                "Error", "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket."
            )
        return JsArray(tags)

    @js_method
    def setWebSocketAutoResponse(self, pair: Any = None) -> None:
        """Have one text answered with another without waking the object; nothing ends it."""
        if pair is None:
            self._host.sockets.auto_response = None
            return
        if not isinstance(pair, WebSocketRequestResponsePair):
            raise self._wrong("setWebSocketAutoResponse", "WebSocketRequestResponsePair")
        for kind, text in (("Request", pair.request), ("Response", pair.response)):
            size = len(text.encode("utf-8", "surrogatepass"))
            if size > MAX_AUTO_RESPONSE_BYTES:
                raise range_error(
                    f"{kind} cannot be larger than {MAX_AUTO_RESPONSE_BYTES} bytes. A {kind.lower()} of size {size} "
                    "was provided."
                )
        self._host.sockets.auto_response = pair

    @js_method
    def getWebSocketAutoResponse(self) -> Any:
        """Return the pair that is in force, or null."""
        return self._host.sockets.auto_response or jsnull

    @js_method
    def getWebSocketAutoResponseTimestamp(self, socket: Any = MISSING) -> Any:
        """Return when a socket was last answered without the object, as a Date, or null."""
        if not isinstance(socket, WebSocket):
            raise self._wrong("getWebSocketAutoResponseTimestamp", "WebSocket")
        answered_ms = self._host.sockets.auto_response_ms(socket)
        return jsnull if answered_ms is None else Date(answered_ms)

    @js_method
    def setHibernatableWebSocketEventTimeout(self, timeout_ms: Any = None) -> None:
        """Set how long an event of a socket may run, at most 7 days; nothing ends the limit."""
        if timeout_ms is None:
            self._host.sockets.event_timeout_ms = None
            return
        value = to_uint32(timeout_ms)
        if value > MAX_EVENT_TIMEOUT_MS:
            raise JsException("Error", f"Event timeout should not exceed {MAX_EVENT_TIMEOUT_MS} ms.")
        self._host.sockets.event_timeout_ms = value or None

    @js_method
    def getHibernatableWebSocketEventTimeout(self) -> Any:
        """Return the limit in milliseconds, or null."""
        timeout_ms = self._host.sockets.event_timeout_ms
        return jsnull if timeout_ms is None else timeout_ms

    def _wrong(self, method: str, expected: str) -> JsException:
        return argument_error(self.js_name, method, 1, expected)


class DurableObjectFacets(JsProxy):
    """``ctx.facets``: objects that live and store within this one."""

    def __init__(self, host: ObjectHost) -> None:
        self._host = host

    @js_method
    def get(self, name: Any = MISSING, start: Any = MISSING) -> Any:
        """Return a facet's stub; ``start()`` returns ``{class, id}`` when the facet must be started."""
        facet = string_argument(name, self.js_name, "get", 1)
        if not is_callable(start):
            raise argument_error(self.js_name, "get", 2, "function")
        return self._host.facet(facet, lambda: call(start))

    @js_method
    def abort(self, name: Any = MISSING, reason: Any = None) -> None:
        """Reset a facet; its callers see the reason."""
        facet = string_argument(name, self.js_name, "abort", 1)
        error = reason if isinstance(reason, JsException) else JsException("Error", to_string(reason))
        self._host.end_facet(facet, error, deletes=False)

    @js_method
    def delete(self, name: Any = MISSING) -> None:
        """Reset a facet and delete what it stored."""
        self._host.end_facet(string_argument(name, self.js_name, "delete", 1), None, deletes=True)


def startup_class(options: Any) -> Any:
    """Return the class that a facet's start options name, and its id or None.

    Raises:
        JsException: TypeError, when there is none.
    """
    if not is_object(options):
        raise type_error("The facet's start-up callback must return an object.")
    cls = get_property(options, "class")
    if cls is None:
        raise field_error(
            "StartupOptions",
            "class",
            "DurableObjectClass or LoopbackDurableObjectNamespace or LoopbackColoLocalActorNamespace",
        )
    return cls, get_property(options, "id")
