"""Where Durable Objects keep what they store."""

from pyworkers.engines.durable.protocol import DurableEngine, ObjectRecord, ObjectStore, SqlCursor, SqlValue

__all__ = ["DurableEngine", "ObjectRecord", "ObjectStore", "SqlCursor", "SqlValue"]
