"""Bodies that come from an S3 endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from pyworkers.engines.r2.protocol import R2Object
from pyworkers.engines.r2.s3_client import S3Client
from pyworkers.engines.r2.transfer import PIECE_BYTES
from pyworkers.errors import EngineClosed, EngineCorrupt


class S3Reading:
    """An object with its body on its way.

    Args:
        body: boto3's stream of the whole body.
    """

    def __init__(self, client: S3Client, found: R2Object, body: Any) -> None:
        self._client = client
        self._object = found
        self._body: Any = body

    @property
    def object(self) -> R2Object:
        """The object."""
        return self._object

    async def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield a part of the body; its end, or its ``aclose``, closes the body."""
        body: Any = None
        left = length
        try:
            body = await self._part(offset, length)
            while left:
                data: bytes = await self._client.run(partial(body.read, min(left, PIECE_BYTES)))
                if not data:
                    raise EngineCorrupt(f"the body of {self._object.key!r} ends before its {self._object.size} bytes")
                left -= len(data)
                yield data
        finally:
            if body is not None:
                body.close()
            self.close()

    def close(self) -> None:
        """Give the connection back; idempotent."""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    async def _part(self, offset: int, length: int) -> Any:
        """Return a stream of a part: the one that is open where it begins there, else one of a new request."""
        body, self._body = self._body, None
        if body is None:
            raise EngineClosed(f"the body of {self._object.key!r} is closed")
        if offset == 0:
            return body
        body.close()
        answer = await self._client.call(
            "get_object",
            Key=self._object.key,
            Range=f"bytes={offset}-{offset + length - 1}",
            IfMatch=f'"{self._object.etag}"',
        )
        return answer["Body"]

    def __del__(self) -> None:
        self.close()
