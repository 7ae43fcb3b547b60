"""``caches``: the Cache API over an engine."""

from __future__ import annotations

from pyworkers.bindings.cache.storage import Cache, CacheStorage

__all__ = ["Cache", "CacheStorage"]
