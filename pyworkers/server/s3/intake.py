"""A request's body on its way in: decoded, its digests compared with everything the client said of it.

Source: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html (checked 2026-11-23)
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from pyworkers.crc import CRC_BYTES
from pyworkers.engines.r2.digests import new_digest
from pyworkers.server.s3.chunked import ChunkedDecoder
from pyworkers.server.s3.errors import S3Error, not_implemented
from pyworkers.server.s3.signature import PAYLOADS, Signature

CHECKSUM_BYTES: Final = {**CRC_BYTES, "sha1": 20, "sha256": 32}
CHECKSUM_HEADER: Final = "x-amz-checksum-"
# Headers that begin as a checksum's but are none.
_NO_CHECKSUMS: Final = ("mode", "algorithm", "type")
_MD5_BYTES: Final = 16


class Writer(Protocol):
    """Takes a body, as `pyworkers.engines.r2.blobs.BodyWriter` does."""

    @property
    def size(self) -> int:
        """How many bytes were written."""
        ...

    def write(self, data: bytes) -> None:
        """Take the next piece; may block."""
        ...

    def digest(self, algorithm: str) -> bytes:
        """Return the digest of what was written."""
        ...


class MemoryWriter:
    """Takes a small body into memory."""

    def __init__(self, *algorithms: str) -> None:
        self._digests = {name: new_digest(name) for name in ("md5", *algorithms)}
        self.data = bytearray()

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return len(self.data)

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        self.data += data
        for digest in self._digests.values():
            digest.update(data)

    def digest(self, algorithm: str) -> bytes:
        """Return the digest of what was written."""
        return self._digests[algorithm].digest()


class Promise:
    """What the headers of a request promise of its body.

    Args:
        headers: lower-case names.
        signature: of the request.

    Attributes:
        algorithms: of the digests that are needed to verify it, by the names of `pyworkers.engines.r2.digests`.
        size: of the body, decoded; None where it is not told.

    Raises:
        S3Error: a header is malformed.
    """

    def __init__(self, headers: Mapping[str, str], signature: Signature) -> None:
        self._headers = headers
        self._signature = signature
        self._md5 = _md5_of(headers)
        self._checksums = {
            name.removeprefix(CHECKSUM_HEADER): _checksum_of(name.removeprefix(CHECKSUM_HEADER), value)
            for name, value in headers.items()
            if name.startswith(CHECKSUM_HEADER) and name.removeprefix(CHECKSUM_HEADER) not in _NO_CHECKSUMS
        }
        trailers = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",") if name.strip()]
        self._trailing = [name.removeprefix(CHECKSUM_HEADER) for name in trailers if name.startswith(CHECKSUM_HEADER)]
        for name in self._trailing:
            _check_known(name)
        asked = headers.get("x-amz-sdk-checksum-algorithm", "").lower()
        known = [asked] if asked in CHECKSUM_BYTES else []
        signed = [] if signature.payload in PAYLOADS else ["sha256"]
        self._asked = (*self._checksums, *self._trailing, *known)
        self.algorithms = tuple(dict.fromkeys((*self._asked, *signed)))
        self.is_chunked = signature.payload.startswith("STREAMING-")
        self.size = _size_of(headers, is_chunked=self.is_chunked)

    def decoder(self, sink: Callable[[bytes], None]) -> ChunkedDecoder | None:
        """Return what decodes the body on its way to the sink; None where it comes plain."""
        if not self.is_chunked:
            return None
        is_signed = self._signature.payload.startswith("STREAMING-AWS4-")
        return ChunkedDecoder(sink, self._signature if is_signed else None)

    def check(self, writer: Writer, trailers: Mapping[str, str]) -> dict[str, str]:
        """Compare a whole body with what was promised; returns the headers that tell its checksums.

        Raises:
            S3Error: it is another one.
        """
        if self.size is not None and writer.size != self.size:
            raise S3Error(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            )
        payload = self._signature.payload
        if payload not in PAYLOADS and writer.digest("sha256").hex() != payload:
            raise S3Error(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ClientComputedContentSHA256=payload,
                S3ComputedContentSHA256=writer.digest("sha256").hex(),
            )
        if self._md5 is not None and writer.digest("md5") != self._md5:
            raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")
        expected = dict(self._checksums)
        for name in self._trailing:
            if CHECKSUM_HEADER + name not in trailers:
                raise S3Error("MalformedTrailerError", "The request contained trailing data that was not well-formed.")
            expected[name] = _checksum_of(name, trailers[CHECKSUM_HEADER + name])
        for name, value in expected.items():
            if writer.digest(name) != value:
                raise S3Error("BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")
        return {CHECKSUM_HEADER + name: _base64(writer.digest(name)) for name in dict.fromkeys(self._asked)}


def _md5_of(headers: Mapping[str, str]) -> bytes | None:
    text = headers.get("content-md5")
    if text is None:
        return None
    value = _bytes_of(text)
    if value is None or len(value) != _MD5_BYTES:
        raise S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.")
    return value


def _checksum_of(name: str, text: str) -> bytes:
    _check_known(name)
    value = _bytes_of(text)
    if value is None or len(value) != CHECKSUM_BYTES[name]:
        raise S3Error("InvalidRequest", f"Value for {CHECKSUM_HEADER}{name} header is invalid.")
    return value


def _check_known(name: str) -> None:
    if name not in CHECKSUM_BYTES:
        raise not_implemented(f"The checksum algorithm {name.upper()} is")


def _bytes_of(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # of binascii; or the text is not ASCII
        return None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _size_of(headers: Mapping[str, str], *, is_chunked: bool) -> int | None:
    text = headers.get("x-amz-decoded-content-length" if is_chunked else "content-length")
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
