"""Engines chosen in `[tool.pyworkers]`: which one a binding gets, and what is said where that cannot be."""

from __future__ import annotations

import asyncio
import builtins
import sys
from pathlib import Path
from typing import Any

import pytest

from pyworkers.clock import SystemClock
from pyworkers.config import load_project
from pyworkers.errors import ConfigError, EngineError
from pyworkers.runtime.stores import Stores

WRANGLER = """
name = "w"
main = "entry.py"
compatibility_date = "2026-04-01"
kv_namespaces = [{ binding = "KV", id = "ns" }]
d1_databases = [{ binding = "DB", database_name = "db" }]
"""


def stores_of(folder: Path, tools: str) -> Stores:
    """Return the stores of a project with these settings."""
    (folder / "wrangler.toml").write_text(WRANGLER)
    (folder / "entry.py").write_text("def fetch(): ...\n")
    (folder / "pyproject.toml").write_text(tools)
    project = load_project(folder, [folder / "wrangler.toml"])
    return Stores(folder / "state", project, SystemClock())


async def use(stores: Stores) -> tuple[Any, Any, list[str]]:
    """Write to both bindings; return their engines, and how they are described."""
    worker = stores._project.primary
    (kv,), (database,) = worker.kv_namespaces, worker.d1_databases
    await stores.kv_binding(kv).put("k", "v")
    await stores.d1_binding(database).exec("CREATE TABLE t (a)")
    described = [stores.describe("kv", kv), stores.describe("d1", database)]
    return stores.engine("kv", "ns"), stores.engine("d1", "db"), described


def test_sqlite_is_the_default(tmp_path: Path) -> None:
    async def main() -> None:
        stores = stores_of(tmp_path, "")
        kv, d1, described = await use(stores)
        assert [type(kv).__name__, type(d1).__name__] == ["SqliteKVEngine", "SqliteD1Engine"]
        assert described == [f"ns  sqlite, {tmp_path}/state", f"db  sqlite, {tmp_path}/state"]
        await stores.close()

    asyncio.run(main())
    assert sorted(path.name for path in (tmp_path / "state").glob("*/*.sqlite")) == ["db.sqlite", "ns.sqlite"]


def test_kv_in_redis_and_d1_through_aiosqlite(tmp_path: Path, valkey_port: int, valkey: Any) -> None:
    tools = f"""
[tool.pyworkers.engines]
kv = "redis"
d1 = "aiosqlite"

[tool.pyworkers.redis]
url = "redis://127.0.0.1:{valkey_port}/0"
"""

    async def main() -> None:
        stores = stores_of(tmp_path, tools)
        kv, d1, described = await use(stores)
        assert [type(kv).__name__, type(d1).__name__] == ["RedisKVEngine", "AiosqliteD1Engine"]
        assert described == [f"ns  redis, 127.0.0.1:{valkey_port}", f"db  aiosqlite, {tmp_path}/state"]
        await stores.close()
        client = valkey()
        assert sorted(await client.keys("*")) == [b"pyworkers:kv:{ns}:i", b"pyworkers:kv:{ns}:k:k"]
        await client.aclose()

    asyncio.run(main())
    assert [path.name for path in (tmp_path / "state").glob("*/*.sqlite")] == ["db.sqlite"]


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    tools = (
        '[tool.pyworkers]\nengines = { kv = "redis" }\nredis = { url = "rediss://me:secret@cache.example:6380/1" }\n'
    )
    stores = stores_of(tmp_path, tools)
    (kv,) = stores._project.primary.kv_namespaces
    assert stores.describe("kv", kv) == "ns  redis, cache.example:6380"


def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    stores = stores_of(tmp_path, '[tool.pyworkers]\nengines = { kv = "redis" }\nredis = { url = "localhost" }\n')
    with pytest.raises(EngineError, match=r"\[tool\.pyworkers\.redis\] url is no address of a Redis server: "):
        stores.engine("kv", "ns")


def test_an_engine_whose_package_is_missing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = stores_of(tmp_path, '[tool.pyworkers.engines]\nd1 = "aiosqlite"\n')
    monkeypatch.delitem(sys.modules, "pyworkers.engines.d1.aiosqlite_engine", raising=False)
    real_import = builtins.__import__

    def without_aiosqlite(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "aiosqlite":
            raise ModuleNotFoundError("No module named 'aiosqlite'", name="aiosqlite")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_aiosqlite)
    with pytest.raises(ConfigError) as caught:
        stores.engine("d1", "db")
    assert caught.value.message == (
        '[tool.pyworkers.engines] d1 = "aiosqlite" needs the package aiosqlite, which is not installed'
    )
    assert caught.value.hint == "run: pip install 'pyworkers-runtime[aiosqlite]'"
