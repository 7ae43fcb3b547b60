"""The global ``fetch``.

Source: fetch.spec.whatwg.org, section 5.6
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from pyworkers.js.data_url import parse_data_url
from pyworkers.js.headers import Headers
from pyworkers.js.promise import JsPromise
from pyworkers.js.realm import current_realm
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import js_arguments, type_error
from pyworkers.js.webidl import utf8

if TYPE_CHECKING:
    from pyworkers.js.abort import AbortSignal

T = TypeVar("T")


def fetch(*args: Any, **kwargs: Any) -> JsPromise:
    """``fetch(input, init)``: a promise of the response. Whatever is wrong rejects it."""
    return JsPromise.run(_fetch(js_arguments(args, kwargs)))


async def _fetch(args: tuple[Any, ...]) -> Response:
    request = Request.for_fetch(*args[:2])
    signal = request.given_signal
    if signal is not None and signal.aborted:
        raise signal.error()
    data = data_response(request)
    if data is not None:
        return data
    if not request.url.startswith(("http:", "https:")):
        raise type_error(f"Fetch API cannot load: {request.url}")
    outbound = current_realm().outbound
    return await unless_aborted(signal, _call_outbound(outbound, request))


def data_response(request: Request) -> Response | None:
    """Return the answer to a request of a ``data:`` URL, or None where it is another."""
    data = parse_data_url(request.url)
    if data is None:
        return None
    headers = Headers([(b"content-type", utf8(data[1]))])
    return Response(data[0] if request.method == "GET" else None, headers=headers)


async def unless_aborted(signal: AbortSignal | None, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; when the signal aborts, cancel it and raise the signal's reason."""
    if signal is None:
        return await work
    task = asyncio.ensure_future(work)
    end = signal.subscribe(lambda: task.cancel() and None)
    try:
        return await task
    except asyncio.CancelledError:
        if signal.aborted and task.cancelled():
            raise signal.error() from None
        task.cancel()
        raise
    finally:
        end()


async def _call_outbound(outbound: Any, request: Request) -> Response:
    response = await outbound(request)
    assert isinstance(response, Response)
    return response
