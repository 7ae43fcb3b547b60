"""A queue in Redis or Valkey: a stream that the processes of several machines take from.

All keys of a queue carry the same hash tag, so that they lie on one node of a cluster and a script can change them
together:

    pyworkers:queue:{name}:s      stream of the messages that are visible; its group `consumers` knows who holds which
    pyworkers:queue:{name}:l      sorted set of the stream's entries that are taken, by when the lease ends
    pyworkers:queue:{name}:o      hash, entry -> owner
    pyworkers:queue:{name}:d      sorted set of the numbers of delayed messages, by when they become visible
    pyworkers:queue:{name}:m:N    hash, a delayed message
    pyworkers:queue:{name}:c      string, the last number
    pyworkers:queue:{name}:g      string, the last entry that was taken
    pyworkers:queue:{name}:b      string, the size of the bodies that are visible

Every change is one script. What is visible and which leases have ended is decided by this engine's clock, never the
server's: the group's own idle times are not asked. An entry is a lease: whoever retries a message appends it anew. A
message lasts as the server keeps it (``appendonly``, ``appendfsync``).

Source: redis.io/docs/latest/commands/xreadgroup; measured, facts/backends.md E
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pyworkers.clock import Clock, SystemClock
from pyworkers.engines.queues.protocol import Backlog, Lease, NewMessage, QueueState, TakenMessage
from pyworkers.errors import EngineBusy, EngineClosed, EngineError

# What one script moves or ends at most; Lua passes no more than about 8,000 arguments.
_STEP: Final = 1_000
_KEYS: Final = "slodcgb"

_COMMON: Final = f"""
local stream, leases, owners, delayed, counter, last, size = unpack(KEYS)
local prefix, now = ARGV[1], tonumber(ARGV[2])
local function append(id, body, kind, sent, visible, attempts)
  redis.call('XADD', stream, '*', 'i', id, 'b', body, 't', kind, 's', sent, 'v', visible, 'a', attempts)
  redis.call('INCRBY', size, #body)
end
local function keep(id, body, kind, sent, visible, attempts)
  if tonumber(visible) <= now then return append(id, body, kind, sent, visible, attempts) end
  local number = redis.call('INCR', counter)
  redis.call('HSET', prefix .. number, 'i', id, 'b', body, 't', kind, 's', sent, 'a', attempts)
  redis.call('ZADD', delayed, visible, number)
end
local function fields(entry)
  local found = redis.call('XRANGE', stream, entry, entry)
  if not found[1] then return nil end
  local values = {{}}
  for at = 1, #found[1][2], 2 do values[found[1][2][at]] = found[1][2][at + 1] end
  return values
end
local function forget(entry)
  redis.call('ZREM', leases, entry)
  redis.call('HDEL', owners, entry)
  redis.call('XACK', stream, 'consumers', entry)
  redis.call('XDEL', stream, entry)
end
local function again(entry, visible)
  local old = fields(entry)
  forget(entry)
  if old then keep(old.i, old.b, old.t, old.s, visible, tonumber(old.a) + 1) end
end
local function due()
  local found = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'WITHSCORES', 'LIMIT', 0, {_STEP})
  for at = 1, #found, 2 do
    local key = prefix .. found[at]
    local old = redis.call('HMGET', key, 'i', 'b', 't', 's', 'a')
    append(old[1], old[2], old[3], old[4], found[at + 1], old[5])
    redis.call('DEL', key)
    redis.call('ZREM', delayed, found[at])
  end
end
local function ended(owner)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, {_STEP})) do
    if redis.call('HGET', owners, entry) ~= owner then again(entry, redis.call('ZSCORE', leases, entry)) end
  end
end
local function after()
  local from = redis.call('GET', last)
  return from and ('(' .. from) or '-'
end
local function oldest()
  local found = redis.call('XRANGE', stream, after(), '+', 'COUNT', 1)
  return found[1] and fields(found[1][1])
end
local function ready() return redis.call('XLEN', stream) - redis.call('ZCARD', leases) end
"""
# ARGV from 3: of every message id, body, type, time of sending, when visible.
_SEND: Final = f"""{_COMMON}
due()
for at = 3, #ARGV, 5 do keep(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], 0) end
"""
# ARGV from 3: owner, limit, the lease's end.
_TAKE: Final = f"""{_COMMON}
due() ended(ARGV[3])
if ready() <= 0 then return {{}} end
redis.pcall('XGROUP', 'CREATE', stream, 'consumers', '0')
local found = redis.call('XRANGE', stream, after(), '+', 'COUNT', ARGV[4])
redis.call('XREADGROUP', 'GROUP', 'consumers', ARGV[3], 'COUNT', ARGV[4], 'STREAMS', stream, '>')
for _, entry in ipairs(found) do
  redis.call('ZADD', leases, ARGV[5], entry[1])
  redis.call('HSET', owners, entry[1], ARGV[3])
  redis.call('SET', last, entry[1])
  redis.call('DECRBY', size, #fields(entry[1]).b)
end
return found
"""
# ARGV from 3: how many are acknowledged, their entries, then entries and times of those that are retried.
_SETTLE: Final = f"""{_COMMON}
due()
local done, retried = 0, 0
for at = 4, 3 + ARGV[3] do
  if redis.call('ZSCORE', leases, ARGV[at]) then forget(ARGV[at]) done = done + 1 end
end
for at = 4 + ARGV[3], #ARGV, 2 do
  if redis.call('ZSCORE', leases, ARGV[at]) then again(ARGV[at], ARGV[at + 1]) retried = retried + 1 end
end
return {{done, retried}}
"""
# ARGV from 3: the leases' new end, entries.
_EXTEND: Final = f"""{_COMMON}
for at = 4, #ARGV do redis.call('ZADD', leases, 'XX', ARGV[3], ARGV[at]) end
"""
# ARGV from 3: how the owners' names start.
_RELEASE: Final = f"""{_COMMON}
local count = 0
for _, entry in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
  if string.sub(redis.call('HGET', owners, entry), 1, #ARGV[3]) == ARGV[3] then
    again(entry, now)
    count = count + 1
  end
end
return count
"""
# ARGV from 3: owner, limit.
_LOOK: Final = f"""{_COMMON}
due() ended(ARGV[3])
local first = oldest()
local soonest = redis.call('ZRANGEBYSCORE', delayed, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. now, '+inf', 'LIMIT', 0, {_STEP})) do
  if redis.call('HGET', owners, entry) ~= ARGV[3] then
    local ends = redis.call('ZSCORE', leases, entry)
    if not soonest or tonumber(ends) < tonumber(soonest) then soonest = ends end
    break
  end
end
return {{math.min(ready(), tonumber(ARGV[4])), first and first.v or '', soonest or ''}}
"""
_BACKLOG: Final = f"""{_COMMON}
due() ended('')
local first = oldest()
return {{ready(), redis.call('GET', size) or '0', first and first.s or ''}}
"""
_PURGE: Final = f"""{_COMMON}
local count = redis.call('XLEN', stream) + redis.call('ZCARD', delayed)
for _, number in ipairs(redis.call('ZRANGE', delayed, 0, -1)) do redis.call('DEL', prefix .. number) end
redis.call('DEL', stream, leases, owners, delayed, last, size)
return count
"""


class RedisQueueEngine:
    """A queue on a server that speaks Redis' protocol.

    Args:
        client: connections to the server, of the event loop that the engine is used in.
        queue: any text.
        clock: decides what is visible, and when leases end.
        owns_client: `close` closes the client too.
    """

    is_shared = True

    def __init__(self, client: Redis, queue: str, *, clock: Clock | None = None, owns_client: bool = False) -> None:
        self._client = client
        self._owns_client = owns_client
        self._clock = clock or SystemClock()
        base = f"pyworkers:queue:{{{_tag(queue)}}}:"
        self._keys = [f"{base}{key}" for key in _KEYS]
        self._prefix = f"{base}m:"
        self._scripts = {
            name: client.register_script(text)
            for name, text in (
                ("send", _SEND),
                ("take", _TAKE),
                ("settle", _SETTLE),
                ("extend", _EXTEND),
                ("release", _RELEASE),
                ("look", _LOOK),
                ("backlog", _BACKLOG),
                ("purge", _PURGE),
            )
        }
        self._is_closed = False

    @classmethod
    def connect(cls, url: str, queue: str, *, clock: Clock | None = None) -> RedisQueueEngine:
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
        return cls(client, queue, clock=clock, owns_client=True)

    async def send(self, messages: Sequence[NewMessage]) -> None:
        """Keep all or nothing; they are as durable on return as the server makes them."""
        await self._run("send", *(value for message in messages for value in message))

    async def take(self, limit: int, *, owner: str, lease_ms: int) -> list[TakenMessage]:
        """Take the messages that are ready, at most ``limit``."""
        entries = await self._run("take", owner, limit, self._clock.now_ms() + lease_ms)
        return [_taken(entry, values) for entry, values in entries]

    async def settle(
        self, acknowledged: Sequence[Lease] = (), retried: Sequence[tuple[Lease, int]] = ()
    ) -> tuple[int, int]:
        """End leases; returns how many messages were forgotten and how many given back."""
        pairs = [value for pair in retried for value in pair]
        done, again = await self._run("settle", len(acknowledged), *acknowledged, *pairs)
        return done, again

    async def extend(self, leases: Sequence[Lease], *, lease_ms: int) -> None:
        """Let leases last from now on for ``lease_ms``."""
        await self._run("extend", self._clock.now_ms() + lease_ms, *leases)

    async def release(self, owner_prefix: str = "") -> int:
        """Make ready at once what owners hold whose names start so."""
        count: int = await self._run("release", owner_prefix)
        return count

    async def look(self, limit: int, *, owner: str) -> QueueState:
        """Tell what ``take`` would find."""
        ready, oldest_ms, next_ms = await self._run("look", owner, limit)
        return QueueState(ready, _number(oldest_ms), _number(next_ms))

    async def backlog(self) -> Backlog:
        """Count what could be taken."""
        count, size_bytes, sent_at_ms = await self._run("backlog")
        return Backlog(count, int(size_bytes), _number(sent_at_ms))

    async def purge(self) -> int:
        """Forget every message."""
        count: int = await self._run("purge")
        return count

    async def close(self) -> None:
        """Let go of the client; idempotent."""
        if self._owns_client and not self._is_closed:
            await self._client.aclose()
        self._is_closed = True

    async def __aenter__(self) -> RedisQueueEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, script: str, *args: Any) -> Any:
        with self._errors():
            return await self._scripts[script](keys=self._keys, args=[self._prefix, self._clock.now_ms(), *args])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self._is_closed:
            raise EngineClosed("the queue is closed")
        try:
            yield
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise EngineBusy(
                f"the Redis server cannot be reached: {error}", hint="start it, or set url in [tool.pyworkers.redis]"
            ) from error
        except RedisError as error:
            raise EngineError(f"the Redis server refused: {error}") from error


def _tag(name: str) -> str:
    """Return a text for between the braces that stands for one queue only."""
    return name.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")


def _taken(entry: bytes, values: Sequence[bytes]) -> TakenMessage:
    found = dict(zip(values[::2], values[1::2], strict=True))
    return TakenMessage(
        id=found[b"i"].decode(),
        body=found[b"b"],
        content_type=found[b"t"].decode(),
        sent_at_ms=int(found[b"s"]),
        attempts=int(found[b"a"]) + 1,
        lease=entry.decode(),
    )


def _number(text: bytes) -> int | None:
    return int(float(text)) if text else None
