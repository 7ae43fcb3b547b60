"""The limits that D1 sets on SQLite.

Source: developers.cloudflare.com/d1/platform/limits; recorded, contracts/d1, d1.limits.* and own/d1, own.d1.limits.*
"""

from __future__ import annotations

from typing import Final

MAX_SQL_BYTES: Final = 100_000
# By the names of SQLite's constants.
LIMITS: Final = {
    "SQLITE_LIMIT_LENGTH": 2_200_000,
    "SQLITE_LIMIT_SQL_LENGTH": MAX_SQL_BYTES,
    "SQLITE_LIMIT_COLUMN": 100,
    "SQLITE_LIMIT_EXPR_DEPTH": 100,
    "SQLITE_LIMIT_COMPOUND_SELECT": 5,
    "SQLITE_LIMIT_VDBE_OP": 25_000,
    "SQLITE_LIMIT_FUNCTION_ARG": 127,
    "SQLITE_LIMIT_LIKE_PATTERN_LENGTH": 50,
    "SQLITE_LIMIT_VARIABLE_NUMBER": 100,
    "SQLITE_LIMIT_TRIGGER_DEPTH": 10,
    "SQLITE_LIMIT_WORKER_THREADS": 0,
}
# Digits of a REAL that becomes TEXT: what SQLite kept before it had a setting for it.
FLOAT_DIGITS: Final = 15
