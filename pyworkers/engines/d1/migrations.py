"""D1 migrations: which files there are, which of them a database has, and the statements that apply one.

Their table is wrangler's, so that both tools see the same state. What wrangler does not keep, a digest of each file
that was applied, lies beside the database: a worker never sees it, and without it nothing is lost but the warning.

Source: wrangler 4.164 packages/wrangler/src/d1/migrations, checked 2026-11-23
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from pyworkers.engines.d1.dump import literal, quoted
from pyworkers.engines.d1.split import split_statements

_NUMBER: Final = re.compile(r"\s*[+-]?\d+")
_BEGIN: Final = re.compile(r"\s*BEGIN(?:\s+TRANSACTION)?\s*;?\s*\Z", re.IGNORECASE)
_COMMIT: Final = re.compile(r"\s*(?:COMMIT|END)(?:\s+TRANSACTION)?\s*;?\s*\Z", re.IGNORECASE)
_COMMENT: Final = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MigrationFiles:
    """Where a database's migrations lie.

    Attributes:
        root: the folder of the configuration file.
        folder: ``migrations_dir``, relative to it.
        pattern: ``migrations_pattern``, relative to it too; None is ``*.sql`` in the folder.
    """

    root: Path
    folder: str
    pattern: str | None = None

    @property
    def path(self) -> Path:
        """Return the folder."""
        return self.root / posixpath.normpath(self.folder.replace("\\", "/"))

    @property
    def is_pattern_outside(self) -> bool:
        """Tell whether the pattern does not start with the folder, which it must."""
        folder = posixpath.normpath(self.folder.replace("\\", "/"))
        return self.pattern is not None and folder != "." and not self._normal_pattern().startswith(f"{folder}/")

    def names(self) -> list[str]:
        """Return the files' names, relative to the folder, in the order in which they are applied.

        A number at the start of a name counts before the rest of it, and a name without one comes last.
        """
        matches = _glob(self._inner_pattern())
        found = []
        for place, folders, files in os.walk(self.path):
            folders[:] = [folder for folder in folders if not folder.startswith(".")]
            inner = Path(place).relative_to(self.path).as_posix()
            found += [posixpath.normpath(f"{inner}/{file}") for file in files]
        return sorted((name for name in found if matches.fullmatch(name)), key=_order)

    def matches(self, name: str) -> bool:
        """Tell whether a file of that name would be a migration."""
        return _glob(self._inner_pattern()).fullmatch(name) is not None

    def next_number(self) -> int:
        """Return the number after the highest there is."""
        return max((number for name in self.names() if (number := _leading(name)) is not None), default=0) + 1

    def read(self, name: str) -> str:
        """Return a migration's SQL.

        Raises:
            OSError, UnicodeDecodeError: it cannot be read.
        """
        return (self.path / name).read_text(encoding="utf-8-sig")

    def _normal_pattern(self) -> str:
        return posixpath.normpath((self.pattern or "*.sql").replace("\\", "/"))

    def _inner_pattern(self) -> str:
        folder = posixpath.normpath(self.folder.replace("\\", "/"))
        if self.pattern is None:
            return "*.sql"
        return self._normal_pattern().removeprefix(f"{folder}/" if folder != "." else "")


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A row of the migrations table; ``applied_at`` is SQLite's text of a time, in UTC."""

    id: int
    name: str
    applied_at: str


class Digests:
    """What the applied files were, in a JSON file beside the database.

    Args:
        path: the file; made at the first note.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, applied: AppliedMigration, sql: str) -> None:
        """Keep what was applied."""
        known = {**self._read(), applied.name: {"at": _mark(applied), "sha256": _digest(sql)}}
        temporary = self._path.with_name(f"{self._path.name}.tmp")
        temporary.write_text(json.dumps(known, indent=2, ensure_ascii=False), encoding="utf-8")
        temporary.replace(self._path)

    def has_changed(self, applied: AppliedMigration, sql: str) -> bool:
        """Tell whether a file is another than was applied; what another tool applied is not known."""
        noted = self._read().get(applied.name)
        return noted is not None and noted.get("at") == _mark(applied) and noted.get("sha256") != _digest(sql)

    def _read(self) -> dict[str, Mapping[str, str]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def create_table_sql(table: str) -> str:
    """Return the statement that makes the migrations table where it is missing, letter for letter wrangler's."""
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(table)}(\n"
        "\t\tid         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
        "\t\tname       TEXT UNIQUE,\n"
        "\t\tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n);"
    )


def applied_sql(table: str) -> str:
    """Return the query for the applied migrations: id, name, time, in the order in which they were applied."""
    return f"SELECT id, name, applied_at FROM {quoted(table)} ORDER BY id"  # noqa: S608  # quoted


def record_sql(table: str, name: str) -> str:
    """Return the statement that says that a migration is applied."""
    return f"INSERT INTO {quoted(table)} (name) VALUES ({literal(name)});"  # noqa: S608  # quoted


def pending(names: Sequence[str], applied: Sequence[AppliedMigration]) -> list[str]:
    """Return those that the database does not have yet, in order."""
    done = {migration.name for migration in applied}
    return [name for name in names if name not in done]


def script_statements(sql: str) -> list[str]:
    """Return the statements of a file, without the transaction around them that `sqlite3 .dump` writes.

    D1 makes one transaction of all of it anyway.
    """
    statements = [piece for piece in split_statements(sql) if piece]
    begins = [index for index, piece in enumerate(statements) if _BEGIN.match(_bare(piece))]
    commits = [index for index, piece in enumerate(statements) if _COMMIT.match(_bare(piece))]
    if len(begins) == len(commits) == 1 and begins < commits:
        del statements[commits[0]], statements[begins[0]]
    return statements


def excerpt(statement: str, width: int = 100) -> str:
    """Return a statement as one line of a message, without the comments before it."""
    text = " ".join(_bare(statement).split())
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _bare(statement: str) -> str:
    return _COMMENT.sub("", statement)


def _mark(applied: AppliedMigration) -> str:
    """What a row of the table is told by: another database of the same name has others."""
    return f"{applied.id} {applied.applied_at}"


def _digest(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def _leading(name: str) -> int | None:
    """Return the number that a name starts with, up to its first underscore, as JavaScript's parseInt reads it."""
    found = _NUMBER.match(name.split("/")[0].split("_")[0])
    return int(found.group()) if found else None


def _order(name: str) -> tuple[tuple[bool, int, str], ...]:
    return tuple(_segments(name))


def _segments(name: str) -> Iterator[tuple[bool, int, str]]:
    for segment in name.split("/"):
        number = _leading(segment)
        yield number is None, number or 0, segment


@lru_cache(maxsize=32)
def _glob(pattern: str) -> re.Pattern[str]:
    """Compile a pattern: ``*`` and ``?`` stay in one folder, ``**/`` is any number of folders, {a,b} is a choice."""
    parts, depth, index = [], 0, 0
    while index < len(pattern):
        if pattern.startswith("**/", index):
            parts.append(r"(?:[^/.][^/]*/)*")
            index += 3
            continue
        mark = pattern[index]
        at_start = index == 0 or pattern[index - 1] == "/"
        if mark == "*":
            parts.append(r"(?!\.)[^/]*" if at_start else "[^/]*")
        elif mark == "?":
            parts.append("[^/]")
        elif mark == "{" and "}" in pattern[index:]:
            depth += 1
            parts.append("(?:")
        elif mark == "}" and depth:
            depth -= 1
            parts.append(")")
        elif mark == "," and depth:
            parts.append("|")
        else:
            parts.append(re.escape(mark))
        index += 1
    return re.compile("".join(parts))
