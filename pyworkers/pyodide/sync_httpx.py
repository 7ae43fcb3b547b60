"""`httpx.Client` inside of a worker: it sends through ``fetch``, as `requests` and `urllib3` do; see `sync_http`.

`httpx.AsyncClient` blocks nobody and opens its connections itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pyworkers.pyodide import sync_http
from pyworkers.pyodide.suspension import can_run_sync, run_sync
from pyworkers.pyodide.sync_http import awaited, buffer_of, next_chunk, plain_headers

MODULE: Final = "httpx._transports.default"
# What fetch says itself.
_OF_THE_CONNECTION: Final = (b"host", b"connection", b"content-length", b"transfer-encoding", b"accept-encoding")


def adapt(module: Any) -> None:
    """Make the transports of a `httpx._transports.default` send through ``fetch`` where a handler may wait."""
    transport = module.HTTPTransport
    own = transport.handle_request
    if getattr(own, "sends_through_fetch", False):
        return

    def handle_request(self: Any, request: Any) -> Any:
        return _send(module, request) if can_run_sync() else own(self, request)

    handle_request.sends_through_fetch = True  # type: ignore[attr-defined]  # a mark on the function
    transport.handle_request = handle_request


def _send(module: Any, request: Any) -> Any:
    """Send a request; return httpx's response to it, whose body is still to come.

    Raises:
        httpx.ConnectError: the request failed.
        httpx.ReadTimeout: no answer in the client's time.
    """
    from pyworkers.js.values import JsException

    try:
        answer = run_sync(_fetch(request))
    except JsException as error:
        raise module.ConnectError(f"fetch failed: {error}", request=request) from error
    except TimeoutError as error:
        raise module.ReadTimeout("The read operation timed out", request=request) from error

    class Body(module.SyncByteStream):  # type: ignore[misc]  # of the httpx that asks: a worker may have its own
        def __iter__(self) -> Iterator[bytes]:
            source = answer.take_body()
            if source is None or isinstance(source, bytes):
                yield source or b""
                return
            chunks = source.chunks()
            while (chunk := run_sync(next_chunk(chunks))) is not None:
                yield bytes(chunk)

    extensions = {"http_version": b"HTTP/1.1", "reason_phrase": answer.status_text.encode("latin-1")}
    return module.Response(answer.status, headers=plain_headers(answer), stream=Body(), extensions=extensions)


async def _fetch(request: Any) -> Any:
    from pyworkers.js.fetch import fetch
    from pyworkers.js.objects import JsArray
    from pyworkers.js.values import JsObject

    headers = [(name, value) for name, value in request.headers.raw if name.lower() not in _OF_THE_CONNECTION]
    init: dict[str, Any] = {
        "method": request.method,
        "redirect": "manual",
        "headers": JsArray(JsArray((name.decode("latin-1"), value.decode("latin-1"))) for name, value in headers),
    }
    body = request.read()
    if body and request.method not in ("GET", "HEAD"):
        init["body"] = buffer_of(body)
    limit_s = request.extensions.get("timeout", {}).get("read")
    return await asyncio.wait_for(awaited(fetch(str(request.url), JsObject(init))), limit_s)


# What adapts a synchronous client, by the name of its module.
ADAPTERS: Final[Mapping[str, Callable[[Any], None]]] = {sync_http.MODULE: sync_http.adapt, MODULE: adapt}
