"""``/cdn-cgi/tail``: the events of a worker as they happen, one line of JSON each, for as long as somebody listens.

``?worker=`` names the worker, the primary one by default; ``?filters=`` is JSON in the form of the platform's own API.

Source: wrangler 4.86, src/tail; the fields of an event are those of `pyworkers.runtime.tail.TraceItem`
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from pyworkers.js import json as js_json
from pyworkers.runtime.tail import TraceItem
from pyworkers.server.egress import send_bytes
from pyworkers.server.errors import TEXT
from pyworkers.server.ingress import Receive, Scope, Send

if TYPE_CHECKING:
    from pyworkers.runtime.runtime import Runtime

# What waits for a listener that is slow; more is left out.
_MOST_WAITING: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which events a listener wants; one that says nothing of a kind takes every one.

    Attributes:
        outcomes: such as ``ok``, ``exception``.
        methods: of requests, in capitals.
        headers: a header's name in lower case, and what its value must be or None.
        addresses: of clients.
        query: what one of the messages must hold.
        rate: the share of the events to tell of, 0 to 1.
    """

    outcomes: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    headers: tuple[tuple[str, str | None], ...] = ()
    addresses: frozenset[str] = frozenset()
    query: str | None = None
    rate: float = 1.0

    @classmethod
    def read(cls, given: list[Mapping[str, Any]]) -> Filters:
        """Read the platform's form: a list of objects with one filter each."""
        found: dict[str, Any] = {}
        headers: list[tuple[str, str | None]] = []
        for one in given:
            if "header" in one:
                headers.append((str(one["header"]["key"]).lower(), one["header"].get("query") or None))
            found.update(one)
        return cls(
            outcomes=frozenset(found.get("outcome", ())),
            methods=frozenset(method.upper() for method in found.get("method", ())),
            headers=tuple(headers),
            addresses=frozenset(found.get("client_ip", ())),
            query=found.get("query"),
            rate=float(found.get("sampling_rate", 1.0)),
        )

    def takes(self, item: Mapping[str, Any], *, chance: Callable[[], float] = random.random) -> bool:
        """Tell whether an event is one that is wanted."""
        request: Mapping[str, Any] | None = (item.get("event") or {}).get("request")
        if self.outcomes and item["outcome"] not in self.outcomes:
            return False
        if request is None:
            if self.methods or self.headers or self.addresses:
                return False
            request = {"method": "", "headers": {}}
        if self.methods and request["method"] not in self.methods:
            return False
        headers: Mapping[str, str] = request["headers"]
        if any(name not in headers or (value is not None and value != headers[name]) for name, value in self.headers):
            return False
        if self.addresses and headers.get("cf-connecting-ip") not in self.addresses:
            return False
        if self.query is not None and not any(self.query in _text(log["message"]) for log in item["logs"]):
            return False
        return self.rate >= 1.0 or chance() < self.rate


class TailRoute:
    """Tells listeners of events.

    Args:
        runtime: whose events they are.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one listener, until it leaves."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        worker = query.get("worker", [self._runtime.project.primary.name])[0]
        if all(config.name != worker for config in self._runtime.project.workers):
            return await send_bytes(send, 404, TEXT, f"there is no worker {worker}\n".encode())
        try:
            filters = Filters.read(json.loads(query.get("filters", ["[]"])[0]))
        except (ValueError, TypeError, KeyError, AttributeError):
            return await send_bytes(send, 400, TEXT, b"filters: expected a list of objects, as JSON\n")
        waiting: asyncio.Queue[TraceItem] = asyncio.Queue(_MOST_WAITING)
        close = self._runtime.tails.open(worker, lambda item: None if waiting.full() else waiting.put_nowait(item))
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await _tell(send, filters, waiting, gone)
        finally:
            close()
            gone.cancel()
        return None


async def _tell(send: Send, filters: Filters, waiting: asyncio.Queue[TraceItem], gone: asyncio.Future[None]) -> None:
    headers = [(b"content-type", b"application/x-ndjson")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"\n", "more_body": True})  # it is listened to from now on
    while not gone.done():
        item = asyncio.ensure_future(waiting.get())
        waited: set[asyncio.Future[Any]] = {item, gone}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not item.done():
            item.cancel()
            break
        line = js_json.stringify(item.result()) or ""
        if filters.takes(json.loads(line)):
            await send({"type": "http.response.body", "body": line.encode() + b"\n", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _text(message: Any) -> str:
    return " ".join(one if isinstance(one, str) else json.dumps(one) for one in message)
