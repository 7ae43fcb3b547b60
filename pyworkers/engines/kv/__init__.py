"""KV: engines that store values under keys."""

from __future__ import annotations

from pyworkers.engines.kv.protocol import KVEngine, KVEntry, KVKey, KVPage, KVWrite

__all__ = ["ENGINES", "KVEngine", "KVEntry", "KVKey", "KVPage", "KVWrite"]

# Short name -> where the class is; imported when chosen.
ENGINES = {
    "sqlite": "pyworkers.engines.kv.sqlite_engine:SqliteKVEngine",
    "redis": "pyworkers.engines.kv.redis_engine:RedisKVEngine",
}
