"""KV in Redis or Valkey: one namespace among many on a server that several machines share.

All keys of a namespace carry the same hash tag, so that they lie on one node of a cluster and a script can change them
together:

    pyworkers:kv:{ns}:i        sorted set of the keys, all of score 0, which keeps them in the order of their bytes
    pyworkers:kv:{ns}:k:KEY    hash of one entry: v its value, m its metadata, e when it expires
    pyworkers:kv:{ns}:m        hash, key -> expiry and metadata, of the keys that have some: all that a listing needs
    pyworkers:kv:{ns}:x        sorted set of the keys that expire, by when

Every write is one script. What has expired is decided by this engine's clock, never the server's, and removed by the
writes that follow. A write lasts as the server keeps it (``appendonly``, ``appendfsync``).

Source: redis.io/docs/latest/commands/zrangebylex; measured, facts/backends.md C
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Final
from weakref import WeakValueDictionary

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pyworkers.clock import Clock, SystemClock
from pyworkers.engines.kv.protocol import KVEntry, KVKey, KVPage, KVWrite
from pyworkers.errors import EngineBusy, EngineClosed, EngineError

# Keys that a listing's script looks at in one step; Lua passes no more than about 8,000 arguments.
_STEP_KEYS: Final = 1_000
# Expired entries that one write removes at most.
_SWEPT_KEYS: Final = 100

_SWEEP: Final = f"""
local prefix, now = ARGV[1], ARGV[2]
local function remove(key)
  redis.call('DEL', prefix .. key)
  redis.call('ZREM', KEYS[1], key)
  redis.call('HDEL', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, {_SWEPT_KEYS})) do remove(key) end
"""
# ARGV: prefix, now, then of every entry: key, value, expiry or '', whether there is metadata, metadata.
_PUT: Final = f"""{_SWEEP}
for at = 3, #ARGV, 5 do
  local key, value, expiry, has_metadata, metadata = ARGV[at], ARGV[at+1], ARGV[at+2], ARGV[at+3] == '1', ARGV[at+4]
  remove(key)
  redis.call('HSET', prefix .. key, 'v', value)
  redis.call('ZADD', KEYS[1], 0, key)
  if expiry ~= '' then
    redis.call('HSET', prefix .. key, 'e', expiry)
    redis.call('ZADD', KEYS[3], expiry, key)
  end
  if has_metadata then redis.call('HSET', prefix .. key, 'm', metadata) end
  if expiry ~= '' or has_metadata then
    redis.call('HSET', KEYS[2], key, has_metadata and (expiry .. ':' .. metadata) or expiry)
  end
end
"""
# ARGV: prefix, now, keys.
_DELETE: Final = f"""{_SWEEP}
for at = 3, #ARGV do remove(ARGV[at]) end
"""
# ARGV: now, first, last, how many. Answers with key, expiry and metadata (or false) of each.
_LIST: Final = f"""
local now, first, count = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local found = {{}}
while #found < 2 * count do
  local keys = redis.call('ZRANGEBYLEX', KEYS[1], first, ARGV[3], 'LIMIT', 0, math.min(count, {_STEP_KEYS}))
  if #keys == 0 then break end
  local infos = redis.call('HMGET', KEYS[2], unpack(keys))
  for at, key in ipairs(keys) do
    local expiry = infos[at] and tonumber(string.match(infos[at], '^%d+'))
    if #found < 2 * count and not (expiry and expiry <= now) then
      found[#found + 1] = key
      found[#found + 1] = infos[at]
    end
  end
  first = '(' .. keys[#keys]
end
return found
"""


class RedisKVEngine:
    """A namespace on a server that speaks Redis' protocol.

    Args:
        client: connections to the server, of the event loop that the engine is used in.
        namespace: any text.
        clock: decides what has expired.
        owns_client: `close` closes the client too.
    """

    def __init__(self, client: Redis, namespace: str, *, clock: Clock | None = None, owns_client: bool = False) -> None:
        self._client = client
        self._owns_client = owns_client
        self._clock = clock or SystemClock()
        base = f"pyworkers:kv:{{{_tag(namespace)}}}:".encode()
        self._keys = [base + b"i", base + b"m", base + b"x"]
        self._prefix = base + b"k:"
        self._put = client.register_script(_PUT)
        self._delete = client.register_script(_DELETE)
        self._list = client.register_script(_LIST)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._is_closed = False

    @classmethod
    def connect(cls, url: str, namespace: str, *, clock: Clock | None = None) -> RedisKVEngine:
        """Return an engine with connections of its own, made when they are needed.

        Args:
            url: such as ``redis://user:password@host:6379/0``.

        Raises:
            EngineError: it is no address of a Redis server.
        """
        try:
            client = Redis.from_url(url)
        except ValueError as error:
            raise EngineError(
                f"[tool.pyworkers.redis] url is no address of a Redis server: {error}",
                hint="write it as redis://host:6379/0",
            ) from error
        return cls(client, namespace, clock=clock, owns_client=True)

    async def get(self, key: str) -> KVEntry | None:
        """Return what is stored under a key."""
        with self._errors():
            found: Any = await self._client.hmget(self._prefix + key.encode(), ["v", "m", "e"])
        return self._entry(found)

    async def get_many(self, keys: Sequence[str]) -> list[KVEntry | None]:
        """Return what is stored under each key, of one moment."""
        if not keys:
            return []
        with self._errors():
            async with self._client.pipeline(transaction=True) as pipeline:
                for key in keys:
                    pipeline.hmget(self._prefix + key.encode(), ["v", "m", "e"])
                return [self._entry(found) for found in await pipeline.execute()]

    async def put(
        self, key: str, value: bytes, *, metadata: str | None = None, expires_at_s: int | None = None
    ) -> None:
        """Store a value; it is as durable on return as the server makes it."""
        await self.put_many((KVWrite(key, value, metadata, expires_at_s),))

    async def put_many(self, writes: Iterable[KVWrite]) -> None:
        """Store all or nothing."""
        writes = tuple(writes)
        args: list[Any] = [self._prefix, self._now_s()]
        for write in writes:
            expiry = "" if write.expires_at_s is None else write.expires_at_s
            args += [write.key.encode(), bytes(write.value), expiry]
            args += [int(write.metadata is not None), (write.metadata or "").encode()]
        async with self._in_turn(write.key for write in writes):
            await self._put(keys=self._keys, args=args)

    async def delete(self, key: str) -> None:
        """Remove a key."""
        await self.delete_many((key,))

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove several keys, all or nothing."""
        keys = tuple(keys)
        async with self._in_turn(keys):
            await self._delete(keys=self._keys, args=[self._prefix, self._now_s(), *(key.encode() for key in keys)])

    async def list_keys(self, *, prefix: str = "", after: str | None = None, limit: int = 1000) -> KVPage:
        """Return keys in order; see the protocol."""
        start, end = prefix.encode(), b"+"
        first = b"[" + start if start else b"-"
        if after is not None and after.encode() >= start:
            first = b"(" + after.encode()
        if start:
            end = b"(" + start + b"\xff"  # no byte of UTF-8 is as high
        with self._errors():
            found = await self._list(keys=self._keys, args=[self._now_s(), first, end, limit + 1])
        keys = [_listed(name, info) for name, info in zip(found[::2], found[1::2], strict=True)]
        return KVPage(keys[:limit], len(keys) <= limit)

    async def close(self) -> None:
        """Let go of the client; idempotent."""
        if self._owns_client and not self._is_closed:
            await self._client.aclose()
        self._is_closed = True

    async def __aenter__(self) -> RedisKVEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def _in_turn(self, keys: Iterable[str]) -> AsyncIterator[None]:
        """Let writes of one key happen in the order in which they were asked for: each has a connection of its own."""
        async with AsyncExitStack() as turns:
            for key in sorted(set(keys)):
                await turns.enter_async_context(self._turns.setdefault(key, asyncio.Lock()))
            with self._errors():
                yield

    def _now_s(self) -> int:
        return int(self._clock.now_s())

    def _entry(self, found: Sequence[bytes | None]) -> KVEntry | None:
        value, metadata, expiry = found
        expires_at_s = None if expiry is None else int(expiry)
        if value is None or (expires_at_s is not None and expires_at_s <= self._clock.now_s()):
            return None
        return KVEntry(value, None if metadata is None else metadata.decode(), expires_at_s)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self._is_closed:
            raise EngineClosed("the KV namespace is closed")
        try:
            yield
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise EngineBusy(
                f"the Redis server cannot be reached: {error}", hint="start it, or set url in [tool.pyworkers.redis]"
            ) from error
        except RedisError as error:
            raise EngineError(f"the Redis server refused: {error}") from error


def _tag(namespace: str) -> str:
    """Return a text for between the braces that stands for one namespace only."""
    return namespace.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")


def _listed(name: bytes, info: bytes | None) -> KVKey:
    if info is None:
        return KVKey(name.decode())
    expiry, colon, metadata = info.partition(b":")
    return KVKey(name.decode(), metadata.decode() if colon else None, int(expiry) if expiry else None)
