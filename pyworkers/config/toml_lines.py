"""Find on which line of a TOML text each key stands, which the standard library's parser does not tell.

The text has been parsed before, so it is known to be right and only its structure is followed here.
"""

from __future__ import annotations

import re
import tomllib

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"{3,5}' r"|'''[\s\S]*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'",
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#][^\n,\]}#]*")


def toml_lines(text: str) -> dict[KeyPath, int]:
    """Return the 1-based line of every key, table and array item of a valid TOML text by its path."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self.text):
            if self._take("[["):
                table = self._header(is_array=True)
            elif self._take("["):
                table = self._header(is_array=False)
            else:
                self._pair(table)

    def _header(self, *, is_array: bool) -> KeyPath:
        line = self._line()
        parts = self._key()
        self._take("]]" if is_array else "]")
        path = (*self._inside(parts[:-1]), parts[-1])
        self.lines.setdefault(path, line)
        if is_array:
            index = self.counts.get(path, -1) + 1
            self.counts[path] = index
            path = (*path, index)
            self.lines[path] = line
        return path

    def _inside(self, parts: list[str]) -> KeyPath:
        """Return the path of a table that a header goes through: of an array of tables, its latest item."""
        path: KeyPath = ()
        for part in parts:
            path = (*path, part)
            if path in self.counts:
                path = (*path, self.counts[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._skip(_SPACE)
        self._take("=")
        self._value(path)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            quoted = self._match(_STRING)
            parts.append(tomllib.loads(f"x = {quoted}")["x"] if quoted else self._match(_BARE_KEY))
            self._skip(_SPACE)
            if not self._take("."):
                return parts

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        if self._take("["):
            index = 0
            while self._skip(_BLANK) < len(self.text) and not self._take("]"):
                self.lines.setdefault((*path, index), self._line())
                self._value((*path, index))
                index += 1
                self._skip(_BLANK)
                self._take(",")
        elif self._take("{"):
            while self._skip(_BLANK) < len(self.text) and not self._take("}"):
                self._pair(path)
                self._skip(_BLANK)
                self._take(",")
        elif not self._match(_STRING):
            self._match(_SCALAR)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._match(pattern)
        return self.at

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return match.group() if match else ""

    def _take(self, mark: str) -> bool:
        found = self.text.startswith(mark, self.at)
        self.at += len(mark) if found else 0
        return found

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
