"""Following redirects, the same for the network and for service bindings.

Source: fetch.spec.whatwg.org, section 4.4; recorded, contracts/services, services.fetch.redirect
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.status import REDIRECT_STATUSES
from pyworkers.js.url import parse_url
from pyworkers.js.values import type_error

MAX_REDIRECTS: Final = 20


async def follow_redirects(
    request: Request, send: Callable[[Request], Awaitable[Response]], *, network: bool = False
) -> Response:
    """Send a request and, in mode ``follow``, those its redirects lead to; return the last response.

    Args:
        network: only what a network can be asked for is followed to; a bound worker takes any URL.
        request: the first request.
        send: sends one request and returns its answer as `Response.received` shapes it.

    Raises:
        JsException: TypeError, when there are too many redirects, or one cannot be followed.
    """
    urls = []
    while True:
        urls.append(request.url)
        response = await send(request)
        if request.redirect != "follow" or response.status not in REDIRECT_STATUSES:
            return response
        location = response.location()
        if not location:
            return response
        await _discard_body(response)
        target = parse_url(location, request.url)
        if target is None or not target.host:
            raise type_error("Invalid Location header; unable to follow redirect.")
        if request.redirects >= MAX_REDIRECTS:
            raise type_error(f"Too many redirects.{', '.join(urls)}")  # the platform's own spacing
        if network and target.protocol not in ("http:", "https:"):
            raise type_error(f"Fetch API cannot load: {target.href}")
        request = request.redirected(target.href, response.status)


async def _discard_body(response: Response) -> None:
    body = response.body_source
    if body is not None and not isinstance(body, bytes):
        async for _chunk in body.chunks():
            pass  # read to the end, so that the connection can be used again
