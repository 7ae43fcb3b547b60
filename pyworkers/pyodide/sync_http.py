"""`requests` and `urllib3` inside of a worker: they send through ``fetch``, as they do on Pyodide.

There is no blocking in it: the handler's greenlet waits, the event loop goes on. So a worker may ask another worker
of the same process, by its URL, and get its answer. Outside of a handler, and in threads, both work as ever.

Source: urllib3's own support of Pyodide, ``urllib3.contrib.emscripten``
"""

from __future__ import annotations

import asyncio
import importlib
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from pyworkers.pyodide.suspension import can_run_sync, run_sync

MODULE: Final = "urllib3.connection"
_DECODED: Final = ("gzip", "br")  # what fetch has undone


class Finder(MetaPathFinder):
    """Adapts modules when they are imported; every other import passes at the price of one comparison.

    Args:
        adapters: what adapts a module, by the module's name.
    """

    def __init__(self, adapters: Mapping[str, Callable[[Any], None]]) -> None:
        self.adapters = adapters

    def find_spec(self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Find the module where it would be found anyway."""
        if name not in self.adapters:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Adapting(spec.loader, self.adapters[name])
        return spec


class _Adapting(Loader):
    def __init__(self, loader: Loader, adapt_module: Callable[[Any], None]) -> None:
        self._loader = loader
        self._adapt = adapt_module

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._adapt(module)


def install_finder(adapters: Mapping[str, Callable[[Any], None]]) -> None:
    """Adapt modules, now or when they are imported; does nothing the second time."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Finder(adapters))
    for name, adapt_module in adapters.items():
        if name in sys.modules:
            adapt_module(sys.modules[name])


def adapt(module: Any) -> None:
    """Make the connections of a `urllib3.connection` send through ``fetch`` where a handler may wait."""
    plain, secure = module.HTTPConnection, module.HTTPSConnection
    if "_sent" in plain.__dict__:
        return
    plain._sent = None
    for cls in {plain, secure}:
        cls.connect = _unless_waiting(cls.connect)
    own_request, own_response, own_closed = plain.request, plain.getresponse, plain.is_closed

    def request(
        self: Any, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        if not can_run_sync():
            own_request(self, method, url, body=body, headers=headers, **options)
        else:
            self._sent = Exchange(self, module, method, url, body, headers or {}, options)

    def getresponse(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._sent is None:
            return own_response(self, *args, **kwargs)
        sent, self._sent = self._sent, None
        return sent.response()

    def is_closed(self: Any) -> bool:
        return False if can_run_sync() else own_closed.fget(self)

    plain.request, plain.getresponse, plain.is_closed = request, getresponse, property(is_closed)
    if "is_verified" not in secure.__dict__:
        secure.is_verified = True


def _unless_waiting(connect: Callable[[Any], None]) -> Callable[[Any], None]:
    def connect_or_not(self: Any) -> None:
        if not can_run_sync():
            connect(self)

    return connect_or_not


class Exchange:
    """One request of a connection, and its response."""

    def __init__(
        self,
        connection: Any,
        module: Any,
        method: str,
        url: str,
        body: Any,
        headers: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> None:
        self._connection, self._module, self._method, self._options = connection, module, method, options
        self._target = url
        scheme = "https" if isinstance(connection, module.HTTPSConnection) else "http"
        host = f"[{connection.host}]" if ":" in connection.host else connection.host
        self._url = url if "://" in url else f"{scheme}://{host}:{connection.port}{url}"
        self._body = _as_bytes(body)
        self._headers = headers

    def response(self) -> Any:
        """Send the request; return urllib3's response to it.

        Raises:
            NewConnectionError: of urllib3: the request failed.
            TimeoutError: no answer in the connection's time.
        """
        from pyworkers.js.values import JsException

        package = importlib.import_module(self._module.__name__.rpartition(".")[0] + ".response")
        try:
            answer = run_sync(self._fetch())
        except JsException as error:
            raise self._module.NewConnectionError(self._connection, f"fetch failed: {error}") from error
        return package.HTTPResponse(
            body=io.BufferedReader(_Body(answer)),
            headers=package.HTTPHeaderDict(plain_headers(answer)),
            status=answer.status,
            version=11,
            version_string="HTTP/1.1",
            reason=answer.status_text,
            preload_content=self._options.get("preload_content", True),
            decode_content=self._options.get("decode_content", True),
            enforce_content_length=False,
            request_method=self._method,
            request_url=self._target,
        )

    async def _fetch(self) -> Any:
        from pyworkers.js.fetch import fetch
        from pyworkers.js.objects import JsArray
        from pyworkers.js.values import JsObject

        init: dict[str, Any] = {
            "method": self._method,
            "redirect": "manual",
            "headers": JsArray(JsArray((_text(name), _text(value))) for name, value in self._headers.items()),
        }
        if self._body is not None and self._method not in ("GET", "HEAD"):
            init["body"] = buffer_of(self._body)
        timeout = self._connection.timeout
        limit_s = timeout if isinstance(timeout, int | float) else None
        return await asyncio.wait_for(awaited(fetch(self._url, JsObject(init))), limit_s)


class _Body(io.RawIOBase):
    """A response's body as a file; a read waits in the handler's greenlet."""

    def __init__(self, response: Any) -> None:
        source = response.take_body()
        self._rest = source if isinstance(source, bytes) else b""
        self._chunks = None if source is None or isinstance(source, bytes) else source.chunks()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the next bytes do; 0 at the end."""
        while not self._rest and self._chunks is not None:
            chunk = run_sync(next_chunk(self._chunks))
            if chunk is None:
                self._chunks = None
            else:
                self._rest = bytes(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def plain_headers(answer: Any) -> list[tuple[str, str]]:
    """Return a response's headers, without those of an encoding that fetch has undone."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.header_list()]
    encoding = next((value for name, value in headers if name == "content-encoding"), "").strip()
    if encoding in _DECODED:
        headers = [pair for pair in headers if pair[0] not in ("content-encoding", "content-length")]
    return headers


async def next_chunk(chunks: Any) -> bytes | None:
    """Return the next chunk of a body; None at its end."""
    return await anext(chunks, None)


async def awaited(promise: Any) -> Any:
    """Return what a promise becomes, as a coroutine of its own."""
    return await promise


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _as_bytes(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _as_bytes(body.read())
    return b"".join(part.encode() if isinstance(part, str) else bytes(part) for part in body)


def buffer_of(data: bytes) -> Any:
    """Return bytes as a body of fetch."""
    from pyworkers.js.buffers import Uint8Array

    return Uint8Array.of_bytes(data)
