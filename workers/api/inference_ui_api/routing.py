"""Which handler answers a path and a method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .web import HttpError

Call = TypeVar("Call")
Answer = TypeVar("Answer")
Handler = Callable[[Call], Awaitable[Answer]]

ANY = "*"


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of its callers.

    Attributes:
        kind: the kind of route, which has limits of its own for callers without credentials.
        scope: what the caller must be allowed to do; None where the route decides.
    """

    kind: str
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Route(Generic[Call, Answer]):
    """One path.

    Attributes:
        paths: exact paths; one that ends in `/*` stands for all that is below it.
        handlers: by method; `*` takes every method. A GET handler answers HEAD.
        is_hidden: for other methods the path does not exist, which is 404 in place of 405.
        access: who may call, and how often; None for everybody, uncounted.
    """

    paths: Sequence[str]
    handlers: Mapping[str, Handler[Call, Answer]]
    is_hidden: bool = False
    access: Access | None = None

    @property
    def allowed(self) -> str:
        """The methods, for an `Allow` header."""
        methods = [*self.handlers, *(["HEAD"] if "GET" in self.handlers else []), "OPTIONS"]
        return ", ".join(methods)


@dataclass(frozen=True, slots=True)
class Match(Generic[Call, Answer]):
    """What a request leads to.

    Attributes:
        tail: what followed the prefix of a `/*` path, with its leading slash.
    """

    handler: Handler[Call, Answer]
    tail: str
    access: Access | None = None


class Router(Generic[Call, Answer]):
    """Finds routes; the order they were given in does not matter."""

    def __init__(self, routes: Sequence[Route[Call, Answer]]) -> None:
        self._exact = {path: route for route in routes for path in route.paths if not path.endswith("/*")}
        prefixes = {path[:-1]: route for route in routes for path in route.paths if path.endswith("/*")}
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))

    def find(self, method: str, path: str) -> Match[Call, Answer]:
        """Return the handler for a request.

        Raises:
            HttpError: 404 no such path; 405, with `Allow`, the path is not for this method.
        """
        route, tail = self._route(path)
        if route is None:
            raise not_found(path)
        handler = route.handlers.get(method) or route.handlers.get(ANY)
        if handler is None and method == "HEAD":
            handler = route.handlers.get("GET")
        if handler is not None:
            return Match(handler, tail, route.access)
        if route.is_hidden:
            raise not_found(path)
        use = " or ".join(route.handlers)
        raise HttpError(405, f"Method not allowed. Use {use}.", headers={"allow": route.allowed})

    def _route(self, path: str) -> tuple[Route[Call, Answer] | None, str]:
        route = self._exact.get(path)
        if route is not None:
            return route, ""
        for prefix, candidate in self._prefixes:
            if path.startswith(prefix) and len(path) > len(prefix):
                return candidate, path[len(prefix) - 1 :]
        return None, ""


def not_found(path: str) -> HttpError:
    """Return the 404 for a path."""
    return HttpError(404, f"Not found: {path}")
