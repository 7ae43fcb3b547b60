"""``crypto.DigestStream``: a writable stream that hashes what is written to it.

Source: developers.cloudflare.com/workers/runtime-apis/web-crypto; workerd, src/workerd/api/crypto/crypto.c++
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Protocol

from pyworkers.crc import CRC_BYTES, Crc
from pyworkers.js.buffers import ArrayBuffer, JsBuffer
from pyworkers.js.crypto.arguments import HashAlgorithm, read_algorithm
from pyworkers.js.crypto.digests import digest_name, hashlib_name
from pyworkers.js.primitives import JsBigInt
from pyworkers.js.promise import JsPromise
from pyworkers.js.streams.sinks import QueueSink
from pyworkers.js.streams.strategies import read_strategy
from pyworkers.js.streams.writable import WritableStream
from pyworkers.js.values import type_error
from pyworkers.js.webidl import MISSING, constructor_error, utf8

_NOT_BYTES: Final = (
    "DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its "
    "writable side."
)


class Hasher(Protocol):
    """Takes bytes in pieces."""

    def update(self, data: bytes, /) -> None:
        """Take a piece."""
        ...

    def digest(self) -> bytes:
        """Return the digest of all pieces."""
        ...


class DigestStream(WritableStream, read_only="digest"):
    """A stream of bytes and strings.

    Attributes:
        digest: a promise of the digest, an ArrayBuffer; settles when the stream is closed or aborted.
    """

    def __init__(self, hasher: Hasher) -> None:
        sink = QueueSink(read_strategy(None, 1))
        super().__init__(sink)
        self.digest = JsPromise().mark_handled()
        self._hasher = hasher
        self._written_bytes = 0
        sink.on_write, sink.on_close, sink.on_abort = self._write, self._finish, self.digest.reject
        sink.begin(None)

    @classmethod
    def js_new(cls, *args: Any) -> DigestStream:
        """``new crypto.DigestStream(algorithm)``.

        Raises:
            JsException: TypeError; NotSupportedError, for an algorithm of another name.
        """
        algorithm = args[0] if args else MISSING
        if algorithm is MISSING:
            raise constructor_error("DigestStream", 1, f"string or {HashAlgorithm.__name__}")
        return cls(make_hasher(read_algorithm(algorithm, HashAlgorithm).name))

    @property
    def bytesWritten(self) -> JsBigInt:
        """How much has been hashed."""
        return JsBigInt(self._written_bytes)

    def _write(self, chunk: Any) -> None:
        if isinstance(chunk, JsBuffer):
            data = bytes(chunk.view)
        elif isinstance(chunk, str):
            data = utf8(chunk)
        else:
            raise type_error(_NOT_BYTES)
        self._hasher.update(data)
        self._written_bytes += len(data)

    def _finish(self) -> None:
        self.digest.resolve(ArrayBuffer(self._hasher.digest()))


def make_hasher(name: str) -> Hasher:
    """Return a hasher; the three checksums are known by their lower-case names only.

    Raises:
        JsException: NotSupportedError.
    """
    if name in CRC_BYTES:
        return Crc(name)
    return hashlib.new(hashlib_name(digest_name(name)), usedforsecurity=False)
