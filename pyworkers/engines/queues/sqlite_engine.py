"""A queue in one SQLite file.

A lease is a message that becomes visible later: whoever takes a message moves its ``visible_at_ms`` to the lease's end
and writes down who holds it. So a consumer that died gives its messages back by doing nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import apsw

from pyworkers.clock import Clock, SystemClock
from pyworkers.engines.queues.database import LoopDatabase
from pyworkers.engines.queues.protocol import Backlog, Lease, NewMessage, QueueState, TakenMessage
from pyworkers.errors import EngineBusy

# `turn` is never used twice: with `attempts` it stands for one delivery of one message.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    turn INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    content_type TEXT NOT NULL,
    sent_at_ms INTEGER NOT NULL,
    visible_at_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    owner TEXT
);
CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (visible_at_ms, turn, owner);
"""
_SEND: Final = "INSERT INTO messages (id, body, content_type, sent_at_ms, visible_at_ms) VALUES (?, ?, ?, ?, ?)"
_READY: Final = "visible_at_ms <= :now AND owner IS NOT :owner"
_TAKE: Final = (
    "UPDATE messages SET attempts = attempts + 1, owner = :owner, visible_at_ms = :until WHERE turn IN"  # noqa: S608
    f" (SELECT turn FROM messages WHERE {_READY} ORDER BY visible_at_ms, turn LIMIT :limit)"
    " RETURNING turn, id, body, content_type, sent_at_ms, attempts"
)
_ORDER: Final = f"SELECT turn FROM messages WHERE {_READY} ORDER BY visible_at_ms, turn LIMIT :limit"  # noqa: S608
_LOOK: Final = (
    "SELECT count(*), min(visible_at_ms) FROM"  # noqa: S608
    f" (SELECT visible_at_ms FROM messages WHERE {_READY} ORDER BY visible_at_ms LIMIT :limit)"
)
_NEXT: Final = (
    "SELECT visible_at_ms FROM messages WHERE visible_at_ms > :now AND owner IS NOT :owner"
    " ORDER BY visible_at_ms LIMIT 1"
)
_FORGET: Final = "DELETE FROM messages WHERE turn = ? AND attempts = ? AND owner IS NOT NULL"
_AGAIN: Final = (
    "INSERT INTO messages (id, body, content_type, sent_at_ms, visible_at_ms, attempts)"
    " SELECT id, body, content_type, sent_at_ms, ?3, attempts FROM messages"
    " WHERE turn = ?1 AND attempts = ?2 AND owner IS NOT NULL"
)
_EXTEND: Final = "UPDATE messages SET visible_at_ms = ?3 WHERE turn = ?1 AND attempts = ?2 AND owner IS NOT NULL"
_RELEASE: Final = (
    "UPDATE messages SET visible_at_ms = :now, owner = NULL WHERE owner IS NOT NULL"
    " AND substr(owner, 1, length(:prefix)) = :prefix"
)
_BACKLOG: Final = (
    "SELECT count(*), ifnull(sum(length(body)), 0),"
    " (SELECT sent_at_ms FROM messages WHERE visible_at_ms <= ?1 ORDER BY visible_at_ms, turn LIMIT 1)"
    " FROM messages WHERE visible_at_ms <= ?1"
)


class SqliteQueueEngine:
    """A queue in one SQLite file, or in memory.

    What was sent survives the death of this process (see `pyworkers.engines.sqlite`).

    Args:
        path: the file, made at first use; None keeps everything in memory.
        clock: decides what is visible, and when leases end.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._database = LoopDatabase(path, _SCHEMA, "the queue")

    @property
    def is_shared(self) -> bool:
        """Whether another process may send and take: the command line, or a second server."""
        return self.path is not None

    async def send(self, messages: Sequence[NewMessage]) -> None:
        """Keep all or nothing; they are durable on return."""
        if len(messages) == 1:
            try:
                self._database.open().execute(_SEND, messages[0])
            except (apsw.Error, EngineBusy):
                await self._database.run(lambda database: database.execute(_SEND, messages[0]))
        else:
            await self._database.transact(lambda database: database.executemany(_SEND, messages))

    async def take(self, limit: int, *, owner: str, lease_ms: int) -> list[TakenMessage]:
        """Take the messages that are ready, at most ``limit``."""
        now_ms = self._clock.now_ms()
        values = {"now": now_ms, "owner": owner, "until": now_ms + lease_ms, "limit": limit}

        def work(database: apsw.Connection) -> tuple[list[Any], list[Any]]:
            # RETURNING promises no order.
            return database.execute(_ORDER, values).fetchall(), database.execute(_TAKE, values).fetchall()

        order, rows = await self._database.transact(work)
        places = {turn: place for place, (turn,) in enumerate(order)}
        rows.sort(key=lambda row: places[row[0]])
        return [TakenMessage._make((*row[1:], f"{row[0]}.{row[5]}")) for row in rows]

    async def settle(
        self, acknowledged: Sequence[Lease] = (), retried: Sequence[tuple[Lease, int]] = ()
    ) -> tuple[int, int]:
        """End leases; returns how many messages were forgotten and how many given back."""
        done = [key for lease in acknowledged if (key := _key(lease)) is not None]
        again = [(*key, when_ms) for lease, when_ms in retried if (key := _key(lease)) is not None]

        def work(database: apsw.Connection) -> tuple[int, int]:
            before = database.total_changes()
            database.executemany(_FORGET, done)
            forgotten = database.total_changes() - before
            for key in again:
                database.execute(_AGAIN, key)
                database.execute(_FORGET, key[:2])
            return forgotten, (database.total_changes() - before - forgotten) // 2

        return await self._database.transact(work)

    async def extend(self, leases: Sequence[Lease], *, lease_ms: int) -> None:
        """Let leases last from now on for ``lease_ms``."""
        until_ms = self._clock.now_ms() + lease_ms
        keys = [(*key, until_ms) for lease in leases if (key := _key(lease)) is not None]
        await self._database.transact(lambda database: database.executemany(_EXTEND, keys))

    async def release(self, owner_prefix: str = "") -> int:
        """Make ready at once what owners hold whose names start so."""
        values = {"now": self._clock.now_ms(), "prefix": owner_prefix}

        def work(database: apsw.Connection) -> int:
            database.execute(_RELEASE, values)
            return database.changes()

        return await self._database.run(work)

    async def look(self, limit: int, *, owner: str) -> QueueState:
        """Tell what ``take`` would find."""
        values = {"now": self._clock.now_ms(), "owner": owner, "limit": limit}

        def work(database: apsw.Connection) -> QueueState:
            ready, oldest_ms = _first_row(database, _LOOK, values)
            return QueueState(ready, oldest_ms, database.execute(_NEXT, values).get)

        return await self._database.run(work)

    async def backlog(self) -> Backlog:
        """Count what could be taken."""
        now_ms = self._clock.now_ms()
        return Backlog(*await self._database.run(lambda database: _first_row(database, _BACKLOG, (now_ms,))))

    async def purge(self) -> int:
        """Forget every message."""

        def work(database: apsw.Connection) -> int:
            database.execute("DELETE FROM messages WHERE true")
            return database.changes()

        return await self._database.run(work)

    async def close(self) -> None:
        """Give the file back; idempotent."""
        await self._database.close()

    async def __aenter__(self) -> SqliteQueueEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _first_row(database: apsw.Connection, sql: str, values: Any) -> tuple[Any, ...]:
    return database.execute(sql, values).fetchall()[0]


def _key(lease: Lease) -> tuple[int, int] | None:
    """Return turn and attempts of a lease; None for a text that is none."""
    turn, _, attempts = lease.partition(".")
    if not (turn.isascii() and turn.isdigit() and attempts.isascii() and attempts.isdigit()):
        return None
    return (int(turn), int(attempts)) if len(lease) < 30 else None
