"""Two streams out of one: each branch reads the chunks that the other has read already from its own backlog."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from pyworkers.js.streams.sources import CLOSED, END, NOT_READY, READABLE, ByteSource, BytesSource, Source


class _Trunk:
    """The stream that was split."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lock = asyncio.Lock()
        self.branches: list[_Branch] = []
        self.cancelled = 0  # how many branches were

    def spread(self, chunk: Any, taker: Source) -> None:
        """Hand what ``taker`` has read to the other branch."""
        for branch in self.branches:
            if branch is not taker and branch.state is READABLE:
                branch.backlog.append(chunk)


class _Branch(Source):
    """One of the two streams."""

    def __init__(self, trunk: _Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.length = trunk.source.length
        self.backlog: deque[Any] = deque()
        trunk.branches.append(self)

    def take(self) -> Any:
        """Return what the other branch has read before, or what the trunk has at hand."""
        if self.backlog:
            return self._next(self.backlog.popleft())
        if self.state is not READABLE:
            return self._ended()
        if self.trunk.lock.locked():
            return NOT_READY
        try:
            chunk = self.trunk.source.take()
        except Exception as error:
            self.fail(error)
            raise
        if chunk is NOT_READY:
            return NOT_READY
        self.trunk.spread(chunk, self)
        return self._next(chunk)

    async def read(self) -> Any:
        """Wait for the next chunk of the trunk."""
        async with self.trunk.lock:
            if self.backlog:
                return self._next(self.backlog.popleft())
            if self.state is not READABLE:
                return self._ended()
            try:
                chunk = await self.trunk.source.read()
            except Exception as error:
                for branch in self.trunk.branches:
                    if not branch.backlog:
                        branch.fail(error)
                raise
            self.trunk.spread(chunk, self)
        return self._next(chunk)

    async def cancel(self, reason: object) -> None:
        """Stop this branch; when both have stopped, the trunk is cancelled with the second reason."""
        if self.state is not READABLE:
            return
        self.finish()
        self.backlog.clear()
        self.trunk.cancelled += 1
        if self.trunk.cancelled == 2:
            await self.trunk.source.cancel(reason)

    def js_chunk(self, chunk: Any) -> Any:
        """As the trunk."""
        return self.trunk.source.js_chunk(chunk)

    def byte_chunk(self, chunk: Any) -> bytes:
        """As the trunk."""
        return self.trunk.source.byte_chunk(chunk)

    def _next(self, chunk: Any) -> Any:
        if chunk is END:
            self.finish()
        return chunk


class _ByteBranch(_Branch, ByteSource):
    """A branch of a stream of bytes: it can be read by BYOB readers as well."""

    is_bytes = True

    def put_back(self, chunk: bytes) -> None:
        """Return a part of a chunk; it comes next."""
        self.backlog.appendleft(chunk)


def split(source: Source) -> tuple[Source, Source]:
    """Return two sources that give what ``source`` gives."""
    if isinstance(source, BytesSource) and source.state is not CLOSED:
        data = b"".join(source.rest)
        return BytesSource(data), BytesSource(data)
    trunk = _Trunk(source)
    kind = _ByteBranch if isinstance(source, ByteSource) else _Branch
    return kind(trunk), kind(trunk)
