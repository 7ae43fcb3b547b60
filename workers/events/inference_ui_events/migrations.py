"""Brings the database up to date with the migration files that are deployed with the worker.

`wrangler d1 migrations apply` does the same at deployment and is the better place for it; this makes a worker on a
fresh database work from its first request. Both write the same table, so that each sees what the other has applied: a
file runs once, also where two isolates race: a file's name is unique there, and is written in the file's transaction.

This file is the same in every worker that owns migrations. Several workers share one database: their files need
different names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyodide.ffi import JsException

FOLDER = Path(__file__).parent.parent / "migrations"
APPLIED = """CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""

# Whether this isolate has seen the database up to date. There is no lock: a request must not wait for another one's
# promise on the platform.
_is_current = False


async def ensure_schema(db: Any) -> None:
    """Apply the files that the database has not had; after the first success this costs nothing."""
    global _is_current
    if not _is_current:
        await _apply_missing(db)
        _is_current = True


async def _apply_missing(db: Any) -> None:
    _, applied = await db.batch([db.prepare(APPLIED), db.prepare("SELECT name FROM d1_migrations")])
    names = {row["name"] for row in applied["results"]}
    for file in sorted(FOLDER.glob("*.sql")):
        if file.name in names:
            continue
        statements = [db.prepare(sql) for sql in split_statements(file.read_text(encoding="utf-8"))]
        note = db.prepare("INSERT INTO d1_migrations (name) VALUES (?1)").bind(file.name)
        try:
            await db.batch([note, *statements])  # one transaction: a file is applied whole or not at all
        except JsException:
            if not await _is_applied(db, file.name):
                raise


async def _is_applied(db: Any, name: str) -> bool:
    """Tell whether a file that could not be applied has been by another isolate."""
    return await db.prepare("SELECT 1 FROM d1_migrations WHERE name = ?1").bind(name).first() is not None


def split_statements(script: str) -> list[str]:
    """Return the statements of a script: each ends with ";" at the end of a line; lines of `--` are left out."""
    lines = [line for line in script.splitlines() if not line.lstrip().startswith("--")]
    statements: list[str] = []
    current: list[str] = []
    for line in lines:
        current.append(line)
        if line.rstrip().endswith(";"):
            statements.append("\n".join(current).strip().removesuffix(";"))
            current = []
    rest = "\n".join(current).strip()
    return [*statements, rest] if rest else statements
