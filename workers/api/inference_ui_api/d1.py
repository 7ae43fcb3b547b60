"""D1 without the SDK's conversions, which take longer than most statements.

The SDK's wrapper of a binding converts every argument and result of every call by itself, also the statements that one
call hands to the next. What D1 takes and gives is plain, so a batch goes to the binding inside the wrapper: values as
JavaScript has them, and rows converted once.

This file is the same in every worker that uses it: each is deployed on its own, with the files of its own folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyodide.ffi import jsnull, to_js


async def run_batch(db: Any, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[tuple[list[dict[str, Any]], int]]:
    """Run statements, all or none; returns the rows and the number of changed rows of each.

    Args:
        db: the D1 binding, with the SDK's wrapper or without.
        statements: SQL and the values bound to it: texts, numbers, None.

    Raises:
        JsException: D1's error.
    """
    binding = getattr(db, "_binding", db)
    bound = [binding.prepare(sql).bind(*map(_to_binding, values)) for sql, values in statements]
    return [
        ([_row(row) for row in result.results.to_py()] if result.results.length else [], int(result.meta.changes))
        for result in await binding.batch(to_js(bound))
    ]


def _to_binding(value: Any) -> Any:
    return jsnull if value is None else value  # None would be undefined, which D1 refuses


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value is jsnull else value for name, value in row.items()}
