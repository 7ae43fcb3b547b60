"""D1: engines that run SQL on a database."""

from __future__ import annotations

from pyworkers.engines.d1.protocol import (
    D1Answer,
    D1Engine,
    D1Meta,
    D1Result,
    D1Statement,
    D1Value,
    Refusal,
    SqlError,
    StatementRefused,
)

__all__ = [
    "ENGINES",
    "D1Answer",
    "D1Engine",
    "D1Meta",
    "D1Result",
    "D1Statement",
    "D1Value",
    "Refusal",
    "SqlError",
    "StatementRefused",
]

# Short name -> where the class is; imported when chosen.
ENGINES = {
    "sqlite": "pyworkers.engines.d1.sqlite_engine:SqliteD1Engine",
    "aiosqlite": "pyworkers.engines.d1.aiosqlite_engine:AiosqliteD1Engine",
}
