"""``aws-chunked``: a body in chunks, each of which may be signed, and what trails them.

Source: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html (checked
2026-11-23)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from pyworkers.server.s3.errors import S3Error
from pyworkers.server.s3.signature import EMPTY_SHA256, Signature, is_same, sign

_MAX_LINE_BYTES: Final = 16 * 1024
_CHUNK: Final = "AWS4-HMAC-SHA256-PAYLOAD"
_TRAILER: Final = "AWS4-HMAC-SHA256-TRAILER"
_SIZE: Final = re.compile("[0-9a-fA-F]{1,16}")
_TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"


class ChunkedDecoder:
    """Takes an encoded body in pieces of any size and passes on what it stands for.

    Args:
        sink: takes the decoded pieces.
        signature: of the request, where the chunks are signed.
    """

    def __init__(self, sink: Callable[[bytes], None], signature: Signature | None) -> None:
        self._sink = sink
        self._signature = signature
        self._previous = "" if signature is None else signature.value
        self._expected = ""
        self._rest = b""
        self._left: int | None = None  # of the chunk; None between chunks
        self._hash = hashlib.sha256()
        self._is_last = False
        self._is_over = False
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> None:
        """Take the next piece.

        Raises:
            S3Error: the encoding, or a chunk's signature, is wrong.
        """
        data, self._rest = self._rest + data if self._rest else data, b""
        while data and not self._is_over:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._take(piece)
                continue
            line, separator, following = data.partition(b"\r\n")
            if not separator:
                self._keep(data)
                return
            data = following
            self._read_line(line)

    def finish(self) -> None:
        """Tell that the body is over.

        Raises:
            S3Error: it is not.
        """
        if not self._is_over and self._is_last and not self._rest:
            self._end()  # some clients leave the last line out
        if not self._is_over:
            raise S3Error("IncompleteBody", "The request body terminated unexpectedly")

    def _take(self, piece: bytes) -> None:
        assert self._left is not None
        self._left -= len(piece)
        if self._signature is not None:
            self._hash.update(piece)
        self._sink(piece)

    def _keep(self, data: bytes) -> None:
        if len(data) > _MAX_LINE_BYTES:
            raise _malformed()
        self._rest = data

    def _read_line(self, line: bytes) -> None:
        if self._left == 0:
            if line:
                raise _malformed()
            self._end_chunk()
        elif not self._is_last:
            self._begin_chunk(line)
        elif line:
            name, separator, value = line.decode("latin-1").partition(":")
            if not separator:
                raise _malformed()
            self.trailers[name.strip().lower()] = value.strip()
        else:
            self._end()

    def _begin_chunk(self, line: bytes) -> None:
        size, _, extension = line.decode("latin-1").partition(";")
        if not _SIZE.fullmatch(size):
            raise _malformed()
        self._left = int(size, 16)
        name, _, value = extension.partition("=")
        self._expected = value.strip() if name.strip() == "chunk-signature" else ""
        if self._left == 0:
            self._check_chunk()
            self._is_last, self._left = True, None

    def _end_chunk(self) -> None:
        self._check_chunk()
        self._left = None

    def _check_chunk(self) -> None:
        self._check(_CHUNK, f"{EMPTY_SHA256}\n{self._hash.hexdigest()}", self._expected)
        self._hash = hashlib.sha256()

    def _end(self) -> None:
        self._is_over = True
        given = self.trailers.pop(_TRAILER_SIGNATURE, "")
        if self.trailers and self._signature is not None:
            text = "".join(f"{name}:{value}\n" for name, value in sorted(self.trailers.items()))
            self._check(_TRAILER, hashlib.sha256(text.encode("latin-1")).hexdigest(), given)

    def _check(self, kind: str, digests: str, given: str) -> None:
        signature = self._signature
        if signature is None:
            return
        text = "\n".join((kind, signature.timestamp, signature.scope, self._previous, digests))
        self._previous = sign(signature.key, text)
        if not is_same(self._previous, given):
            raise S3Error(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided."
                " Check your key and signing method.",
                403,
            )


def _malformed() -> S3Error:
    return S3Error("InvalidRequest", "The body is not encoded as aws-chunked has it")
