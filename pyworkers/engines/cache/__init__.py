"""Caches: engines that store responses."""

from __future__ import annotations

from pyworkers.engines.cache.protocol import CachedResponse, CacheEngine, CacheReading

__all__ = ["ENGINES", "CacheEngine", "CacheReading", "CachedResponse"]

# Short name -> where the class is; imported when chosen.
ENGINES = {"sqlite": "pyworkers.engines.cache.sqlite_engine:SqliteCacheEngine"}
