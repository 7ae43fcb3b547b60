"""The D1 binding where the recordings do not reach: storage failures, sessions, columns of odd names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from pyworkers.bindings.d1 import D1Database
from pyworkers.engines.d1.sqlite_engine import SqliteD1Engine
from pyworkers.engines.sqlite import open_database
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsException


def run(program: Callable[[Any], Awaitable[None]], path: Path | None = None) -> None:
    async def main() -> None:
        async with SqliteD1Engine(path) as engine:
            await program(D1Database(engine))

    asyncio.run(main())


async def message(promise: Awaitable[Any]) -> str:
    with pytest.raises(JsException) as caught:
        await promise
    return str(caught.value.message)


def test_a_file_that_is_no_database_is_a_d1_error(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    path.write_bytes(b"not a database" * 1000)

    async def program(db: Any) -> None:
        assert await message(db.prepare("SELECT 1").all()) == (
            "D1_ERROR: database disk image is malformed: SQLITE_CORRUPT"
        )
        assert await message(db.exec("SELECT 1")) == (
            "D1_EXEC_ERROR: Error in line 1: SELECT 1: database disk image is malformed: SQLITE_CORRUPT"
        )

    run(program, path)


def test_a_lock_of_another_process_is_a_d1_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "db.sqlite"
    monkeypatch.setitem(open_database.__kwdefaults__, "busy_timeout_ms", 10)

    async def program(db: Any) -> None:
        await db.prepare("CREATE TABLE t (a)").run()
        holder = apsw.Connection(str(path))
        holder.execute("BEGIN EXCLUSIVE")
        assert (await db.prepare("SELECT count(*) AS n FROM t").first()).n == 0
        assert await message(db.prepare("INSERT INTO t VALUES (1)").run()) == (
            "D1_ERROR: database is locked: SQLITE_BUSY"
        )
        holder.execute("ROLLBACK")
        holder.close()
        await db.prepare("INSERT INTO t VALUES (1)").run()

    run(program, path)


def test_a_session_takes_the_latest_bookmark_along() -> None:
    async def program(db: Any) -> None:
        session = db.withSession(" first-primary ")
        assert session.getBookmark() is jsnull
        await session.prepare("SELECT 1").all()
        await session.batch(JsArray([session.prepare("SELECT 1"), session.prepare("SELECT 2")]))
        bookmark = session.getBookmark()
        assert bookmark == "00000000-00000001-00000000-00000000000000000000000000000000"
        assert db.withSession(bookmark).getBookmark() == bookmark
        assert db.alwaysPrimarySession.getBookmark() is jsnull

    run(program)


def test_of_two_columns_of_one_name_the_last_counts_and_index_names_come_first() -> None:
    async def program(db: Any) -> None:
        row = await db.prepare("SELECT 1 AS b, 2 AS '10', 3 AS '9', 4 AS b, 5 AS '01'").first()
        assert list(row.own_properties().items()) == [("9", 3), ("10", 2), ("b", 4), ("01", 5)]
        assert next(iter(await db.prepare("SELECT 1 AS b, 2 AS b").raw(columnNames=True))).items_ == ["b", "b"]

    run(program)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "Type 'undefined' not supported for value 'undefined'"),
        (2**60, f"Type 'bigint' not supported for value '{2**60}'"),
        (lambda: None, "Type 'function' not supported for value"),
    ],
)
def test_bind_refuses_what_json_cannot_carry(value: Any, text: str) -> None:
    async def program(db: Any) -> None:
        with pytest.raises(JsException) as caught:
            db.prepare("SELECT ?").bind(value)
        assert caught.value.message.startswith(f"D1_TYPE_ERROR: {text}")

    run(program)
