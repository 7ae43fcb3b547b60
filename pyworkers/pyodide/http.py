"""``pyodide.http``: ``pyfetch`` and the response object that the SDK builds on.

Source: pyodide.org, ``pyodide.http``; recorded, contracts/python, python.objects.*
"""

from __future__ import annotations

import builtins
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pyworkers.js.abort import AbortController
from pyworkers.js.fetch import fetch as js_fetch
from pyworkers.js.request import Request
from pyworkers.js.values import JsException, JsObject


class HttpStatusError(OSError):
    """A response's status is 4xx or 5xx; raised by ``raise_for_status``."""

    def __init__(self, status: int, status_text: str, url: str) -> None:
        self.status = status
        self.status_text = status_text
        self.url = url
        kind = {4: "Client Error", 5: "Server Error"}.get(status // 100, "Invalid error code not between 400 and 599")
        super().__init__(f"{status} {kind}: {status_text} for url: {url}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.status, self.status_text, self.url)


class BodyUsedError(OSError):
    """The response's body was read before."""

    def __init__(self, *_args: object) -> None:
        super().__init__("Response body is already used")


class AbortError(OSError):
    """The request failed or was aborted; ``reason`` is the JavaScript error's message."""

    def __init__(self, reason: JsException) -> None:
        self.reason = reason
        super().__init__(reason.message)


for _error in (HttpStatusError, BodyUsedError, AbortError):
    _error.__module__ = "pyodide.http._exceptions"


class FetchResponse:
    """A response of ``pyfetch``: a Python view of a ``js.Response``."""

    def __init__(
        self,
        request: Any,
        js_response: Any,
        abort_controller: Any = None,
        abort_signal: Any = None,
    ) -> None:
        self.js_request = None if isinstance(request, str) else request
        self._url = request if isinstance(request, str) else request.url
        self.js_response = js_response
        self.abort_controller = abort_controller
        self.abort_signal = abort_signal

    @property
    def body_used(self) -> bool:
        """Tell whether the body was read."""
        return bool(self.js_response.bodyUsed)

    @property
    def headers(self) -> dict[str, str]:
        """The headers as a dict with lower-case names."""
        return dict(self.js_response.headers)

    @property
    def ok(self) -> bool:
        """Tell whether the status is 2xx."""
        return bool(self.js_response.ok)

    @property
    def redirected(self) -> bool:
        """Tell whether a redirect led here."""
        return bool(self.js_response.redirected)

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.js_response.status)

    @property
    def status_text(self) -> str:
        """The reason phrase."""
        return str(self.js_response.statusText)

    @property
    def type(self) -> str:
        """The response's type, such as ``default``."""
        return str(self.js_response.type)

    @property
    def url(self) -> str:
        """The response's URL."""
        return str(self.js_response.url)

    def raise_for_status(self) -> None:
        """Raise `HttpStatusError` where the status is 4xx or 5xx."""
        if 400 <= self.status < 600:
            raise HttpStatusError(self.status, self.status_text, self.url)

    def clone(self) -> FetchResponse:
        """Return an independent copy whose body can be read too."""
        self._raise_if_failed()
        return FetchResponse(self._url, self.js_response.clone(), self.abort_controller, self.abort_signal)

    def abort(self, reason: Any = None) -> None:
        """Abort the request.

        Raises:
            ValueError: the response was not made by ``pyfetch``.
        """
        if self.abort_controller is None:
            raise ValueError("abort_controller is not set")
        self.abort_controller.abort(reason)

    async def buffer(self) -> Any:
        """Return the body as a ``js.ArrayBuffer``.

        Raises:
            AbortError: the body failed on its way; its text is the JavaScript error's. So too the other readers.
        """
        self._raise_if_failed()
        try:
            return await self.js_response.arrayBuffer()
        except JsException as error:
            raise AbortError(error) from None

    async def text(self) -> str:
        """Return the body decoded as UTF-8."""
        self._raise_if_failed()
        try:
            return str(await self.js_response.text())
        except JsException as error:
            raise AbortError(error) from None

    async def string(self) -> str:
        """The same as ``text``."""
        return await self.text()

    async def json(self, **kwargs: Any) -> Any:
        """Return the body parsed by ``json.loads``, which gets the keyword arguments."""
        self._raise_if_failed()
        return json.loads(await self.text(), **kwargs)

    async def memoryview(self) -> builtins.memoryview:
        """Return the body as a memoryview."""
        return builtins.memoryview(await self.bytes())

    async def bytes(self) -> builtins.bytes:
        """Return the body as bytes."""
        return bytes((await self.buffer()).to_bytes())

    async def unpack_archive(self, *, extract_dir: str | None = None, format: str | None = None) -> None:
        """Unpack the body, an archive, into a folder."""
        suffix = Path(self._url.partition("?")[0]).suffix if format is None else ""
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            file.write(await self.bytes())
            file.flush()
            shutil.unpack_archive(file.name, extract_dir, format)

    def _raise_if_failed(self) -> None:
        signal = self.abort_signal
        if signal is not None and signal.aborted:
            raise AbortError(signal.reason)
        if self.js_response.bodyUsed:
            raise BodyUsedError


FetchResponse.__module__ = "pyodide.http._pyfetch"


async def pyfetch(request: Any, /, *, signal: Any = None, fetcher: Any = None, **kwargs: Any) -> FetchResponse:
    """Fetch a URL or a ``js.Request``; keyword arguments are those of JavaScript's ``fetch``.

    Raises:
        AbortError: the request failed or was aborted; its text is the JavaScript error's.
    """
    controller = LazyAbortController()
    if signal is not None:
        kwargs["signal"] = signal
    if isinstance(request, str):
        request = Request.js_new(request, JsObject(_js_options(kwargs)) if kwargs else None)
        response = _call(fetcher, request)
    elif kwargs:
        response = _call(fetcher, request, JsObject(_js_options(kwargs)))
    else:
        response = _call(fetcher, request)
    try:
        return FetchResponse(request, await response, controller, None)
    except JsException as error:
        raise AbortError(error) from None


class LazyAbortController:
    """The response's abort controller, made when it is first used: most requests are never aborted."""

    __slots__ = ("_controller",)

    def __init__(self) -> None:
        self._controller: Any = None

    def abort(self, reason: Any = None) -> None:
        """Abort the request."""
        if self._controller is None:
            self._controller = AbortController()
        self._controller.abort(reason)


def _call(fetcher: Any, *args: Any) -> Any:
    return (fetcher or js_fetch)(*args)


def _js_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Pyodide converts the options deeply, dicts to objects."""
    from pyworkers.js.convert import FROM_ENTRIES, to_js

    return {name: to_js(value, dict_converter=FROM_ENTRIES) for name, value in kwargs.items()}


__all__ = ["AbortError", "BodyUsedError", "FetchResponse", "HttpStatusError", "pyfetch"]
