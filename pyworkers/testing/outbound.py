"""Answers that a test registers for what its workers fetch from outside."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyworkers.js.buffers import Uint8Array
from pyworkers.js.redirects import follow_redirects
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsObject, type_error

Handler = Callable[[Request], Any]


class UnexpectedRequest(AssertionError):
    """A worker fetched something that the test registered no answer for."""


@dataclass(slots=True)
class Route:
    """What is answered to one method and URL.

    Attributes:
        method: the HTTP method, or ``*``.
        url: the whole URL; one that ends in ``*`` matches every URL that starts so.
        requests: the requests that came, oldest first.
    """

    method: str
    url: str
    answer: Handler | None = None
    requests: list[Request] = field(default_factory=list)

    def respond(
        self,
        body: str | bytes | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        json_body: Any = None,
    ) -> Route:
        """Answer with a fixed response; ``json_body`` is sent as JSON in place of ``body``."""
        content: Any = json.dumps(json_body) if json_body is not None else body
        fields = {"content-type": "application/json"} if json_body is not None else {}
        fields |= dict(headers or {})

        def answer(_request: Request) -> Response:
            sent = Uint8Array.of_bytes(bytearray(content)) if isinstance(content, bytes) else content
            return Response.js_new(sent, JsObject({"status": status, "headers": JsObject(fields)}))

        self.answer = answer
        return self

    def fail(self, message: str = "Network connection lost.") -> Route:
        """Answer with a network error: the worker's ``fetch`` raises."""

        def answer(_request: Request) -> Response:
            raise type_error(message)

        self.answer = answer
        return self

    def handle(self, handler: Handler) -> Route:
        """Answer with what ``handler(js_request)`` returns, or awaits to: a ``js.Response`` or an SDK Response."""
        self.answer = handler
        return self

    def matches(self, request: Request) -> bool:
        """Tell whether this route answers the request."""
        if self.method not in ("*", request.method):
            return False
        return request.url.startswith(self.url[:-1]) if self.url.endswith("*") else request.url == self.url


class OutboundMock:
    """The network as a test's workers see it: nothing answers but what the test registered.

    ``outbound.get("https://api.example.com/x").respond(json_body={"ok": True})``
    """

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.unexpected: list[str] = []

    def route(self, method: str, url: str) -> Route:
        """Register a method and URL; the one registered last wins."""
        route = Route(method.upper(), url)
        self.routes.insert(0, route)
        return route

    def get(self, url: str) -> Route:
        """Register a GET."""
        return self.route("GET", url)

    def post(self, url: str) -> Route:
        """Register a POST."""
        return self.route("POST", url)

    def put(self, url: str) -> Route:
        """Register a PUT."""
        return self.route("PUT", url)

    def delete(self, url: str) -> Route:
        """Register a DELETE."""
        return self.route("DELETE", url)

    def any(self, url: str) -> Route:
        """Register every method of a URL."""
        return self.route("*", url)

    async def __call__(self, request: Request) -> Response:
        """Answer a worker's request, following redirects as the network does.

        Raises:
            UnexpectedRequest: no route matches; the test fails of it even where the worker catches the error.
        """
        return await follow_redirects(request, self._answer, network=True)

    async def _answer(self, request: Request) -> Response:
        for route in self.routes:
            if route.matches(request) and route.answer is not None:
                route.requests.append(request)
                answer = route.answer(request)
                if inspect.isawaitable(answer):
                    answer = await answer
                response: Any = getattr(answer, "js_object", answer)  # an SDK Response holds the other
                return response.received(request)
        text = f"{request.method} {request.url}"
        self.unexpected.append(text)
        raise UnexpectedRequest(
            f"the worker fetched {text}, and the test registered no answer for it; "
            f'add outbound.{request.method.lower()}("{request.url}").respond(...)'
        )

    def verify(self) -> None:
        """Fail if a request came that nothing was registered for.

        Raises:
            UnexpectedRequest: naming every such request.
        """
        if self.unexpected:
            raise UnexpectedRequest("no answer was registered for: " + ", ".join(self.unexpected))
