"""Undoing a response's Content-Encoding while it streams.

Source: fetch.spec.whatwg.org, section 2.2.5; developers.cloudflare.com/workers/runtime-apis/fetch
"""

from __future__ import annotations

import importlib
import importlib.util
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

from pyworkers.js.values import type_error

_GZIP_WINDOW: Final = 31


def accepted_encodings() -> str:
    """The Accept-Encoding that says what `decoded` can undo here."""
    return "br, gzip" if _brotli() else "gzip"


def can_decode(encoding: str) -> bool:
    """Tell whether `decoded` undoes an encoding; any other passes through as it is."""
    return encoding == "gzip" or (encoding == "br" and _brotli())


async def decoded(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Decode chunks of ``gzip`` or ``br``.

    Raises:
        JsException: TypeError, when the data is not of that encoding, or ends early.
    """
    decoder = _decoder(encoding)
    async for chunk in chunks:
        if data := decoder.feed(chunk):
            yield data
    decoder.finish()


class _Gzip:
    """Several gzip members in a row are one stream."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)

    def feed(self, chunk: bytes) -> bytes:
        parts = []
        while chunk:
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(_GZIP_WINDOW)
            try:
                parts.append(self._inflater.decompress(chunk))
            except zlib.error:
                raise type_error("Gzip decompression failed.") from None
            chunk = self._inflater.unused_data
        return b"".join(parts)

    def finish(self) -> None:
        if not self._inflater.eof:
            raise type_error("Gzip compressed stream ended prematurely.")


class _Brotli:
    def __init__(self) -> None:
        brotli = importlib.import_module("brotli")  # an optional package
        self._decompressor = brotli.Decompressor()
        self._error: type[Exception] = brotli.error

    def feed(self, chunk: bytes) -> bytes:
        try:
            return bytes(self._decompressor.process(chunk))
        except self._error:
            raise type_error("Brotli decompression failed.") from None

    def finish(self) -> None:
        if not self._decompressor.is_finished():
            raise type_error("Brotli compressed stream ended prematurely.")


def _decoder(encoding: str) -> Any:
    return _Brotli() if encoding == "br" else _Gzip()


def _brotli() -> bool:
    return importlib.util.find_spec("brotli") is not None
