"""Which Content-Encoding a response leaves with, and the encoding itself.

The edge compresses what a client accepts compressed, by media type, and decodes what it does not accept.

Source: recorded, contracts/http, http.resp.gzip-* and http.resp.accept-encoding; the rules for what is not recorded,
miniflare, packages/miniflare/src/workers/core/entry.worker.ts; the media types,
developers.cloudflare.com/speed/optimization/content/compression (checked 2026-11-23)
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Final, Protocol

CODINGS: Final = frozenset((b"gzip", b"br"))
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_BROTLI_QUALITY: Final = 5  # of 11; the highest ones are for what is compressed once
_ELEMENT: Final = re.compile(rb"([a-z]+|\*)(?:\s*;\s*q=(\d+(?:.\d+)?))?")
_COMPRESSED: Final = frozenset(
    b"text/html text/richtext text/plain text/css text/x-script text/x-component text/x-java-source text/x-markdown "
    b"application/javascript application/x-javascript text/javascript text/js image/x-icon image/vnd.microsoft.icon "
    b"application/x-perl application/x-httpd-cgi text/xml application/xml application/rss+xml "
    b"application/vnd.api+json application/x-protobuf application/json multipart/bag multipart/mixed "
    b"application/xhtml+xml font/ttf font/otf font/x-woff image/svg+xml application/vnd.ms-fontobject application/ttf "
    b"application/x-ttf application/otf application/x-otf application/truetype application/opentype "
    b"application/x-opentype application/font-woff application/eot application/font application/font-sfnt "
    b"application/wasm application/javascript-binast application/manifest+json application/ld+json "
    b"application/graphql+json application/geo+json".split()
)


class NotAcceptable(Exception):
    """The client accepts none of the encodings there are, the plain one included."""


def choose_coding(accept: bytes | None, content_type: bytes | None, current: bytes | None) -> bytes | None:
    """Return the Content-Encoding to send: ``current``, another, or None for none.

    Args:
        accept: the client's Accept-Encoding; without one it takes anything.
        content_type: of the response.
        current: the Content-Encoding that the worker gave it.

    Raises:
        NotAcceptable: the client refuses the plain form, and wants neither gzip nor br.
    """
    wanted = _parse(accept) if accept else ()
    if not wanted or not _is_compressed(content_type) or (current is not None and current not in CODINGS):
        return current
    refuses_plain = False
    for coding, weight in wanted:
        if weight == 0:
            refuses_plain = refuses_plain or coding in (b"identity", b"*")
        elif coding in CODINGS:
            return coding
        elif coding == b"identity":
            break
    if refuses_plain:
        raise NotAcceptable
    return None


async def encoded(chunks: AsyncIterator[bytes], coding: bytes) -> AsyncIterator[bytes]:
    """Compress a stream; each chunk can be read when it has arrived."""
    encoder: _Encoder = _Brotli() if coding == b"br" else _Gzip()
    async for chunk in chunks:
        if chunk:
            yield encoder.feed(chunk)
    yield encoder.finish()


class _Encoder(Protocol):
    def feed(self, chunk: bytes) -> bytes:
        """Return a chunk's compressed form."""
        ...

    def finish(self) -> bytes:
        """Return what ends the stream."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._encoder = zlib.compressobj(wbits=_GZIP_WINDOW)

    def feed(self, chunk: bytes) -> bytes:
        return self._encoder.compress(chunk) + self._encoder.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._encoder.flush()


class _Brotli:
    def __init__(self) -> None:
        import brotli  # by the first response that is sent so

        self._encoder = brotli.Compressor(quality=_BROTLI_QUALITY)

    def feed(self, chunk: bytes) -> bytes:
        return bytes(self._encoder.process(chunk) + self._encoder.flush())

    def finish(self) -> bytes:
        return bytes(self._encoder.finish())


@lru_cache(maxsize=256)
def _parse(accept: bytes) -> tuple[tuple[bytes, float], ...]:
    """Return codings and their weights, the heaviest first; what is malformed is passed over."""
    matches = [_ELEMENT.fullmatch(element.strip()) for element in accept.split(b",")]
    found = [(match[1], float(match[2] or 1)) for match in matches if match is not None]
    return tuple(sorted(found, key=lambda pair: -pair[1]))


def _is_compressed(content_type: bytes | None) -> bool:
    return not content_type or content_type.partition(b";")[0] in _COMPRESSED
