"""``CompressionStream`` and ``DecompressionStream``: gzip, deflate (zlib) and deflate-raw.

Their writes never wait for a reader, as in the real runtime.

Source: compression.spec.whatwg.org; texts: workerd, src/workerd/api/streams/compression.c++
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final

from pyworkers.js.buffers import JsBuffer
from pyworkers.js.primitives import to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.channel import ByteChannelSource
from pyworkers.js.streams.transform import BytesTransform, TransformStream
from pyworkers.js.values import JsProxy, type_error
from pyworkers.js.webidl import constructor_error

_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15, "deflate-raw": -15}


class _Codec(BytesTransform):
    def accept(self, chunk: Any) -> Any:
        return bytes(chunk.view) if isinstance(chunk, JsBuffer) else chunk

    @staticmethod
    def check(chunk: Any) -> bytes:
        """Refuse what is no bytes, which breaks both sides."""
        if not isinstance(chunk, bytes):
            raise type_error("This WritableStream only supports writing byte types.")
        return chunk


class _Compress(_Codec):
    def __init__(self, window_bits: int) -> None:
        self._compressor = zlib.compressobj(wbits=window_bits)

    def push(self, chunk: Any) -> Iterable[bytes]:
        data = self._compressor.compress(self.check(chunk))
        return (data,) if data else ()

    def flush(self) -> Iterable[bytes]:
        return (self._compressor.flush(),)


class _Decompress(_Codec):
    def __init__(self, window_bits: int) -> None:
        self._decompressor = zlib.decompressobj(wbits=window_bits)
        self._is_strict = current_realm().compat.enabled("strict_compression_checks")

    def push(self, chunk: Any) -> Iterable[bytes]:
        checked = self.check(chunk)
        try:
            data = self._decompressor.decompress(checked)
        except zlib.error:
            raise type_error("Decompression failed.") from None
        if self._decompressor.unused_data and self._is_strict:
            raise type_error("Trailing bytes after end of compressed data")
        return (data,) if data else ()

    def flush(self) -> Iterable[bytes]:
        if self._is_strict and not self._decompressor.eof:
            raise type_error("Called close() on a decompression stream with incomplete data")
        return ()


class CompressionStream(TransformStream):
    """Bytes in, compressed bytes out."""

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new CompressionStream(format)``."""
        return cls(_source(_Compress(_window_bits(cls.js_name, args))))


class DecompressionStream(TransformStream):
    """Compressed bytes in, bytes out."""

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new DecompressionStream(format)``."""
        return cls(_source(_Decompress(_window_bits(cls.js_name, args))))


def _source(transform: BytesTransform) -> ByteChannelSource:
    return ByteChannelSource(transform, room=float("inf"))


def _window_bits(name: str, args: tuple[Any, ...]) -> int:
    if not args:
        raise constructor_error(name, 1, "string")
    bits = _WINDOW_BITS.get(to_string(args[0]))
    if bits is None:
        raise type_error("The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.")
    return bits
