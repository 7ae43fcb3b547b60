"""Read JSON with comments and trailing commas, and remember on which line each value stands.

Source: wrangler 4.164.0 reads wrangler.json and wrangler.jsonc alike, with jsonc-parser and `allowTrailingComma`.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the stubs leave it out

from pyworkers.config.tables import JsonValue

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*[\s\S]*?\*/)*")
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_MAX_DEPTH = 200


class JsoncError(ValueError):
    """The text is no JSON.

    Args:
        line: 1-based line of the first character that does not fit.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def parse_jsonc(text: str) -> tuple[JsonValue, dict[KeyPath, int]]:
    """Return the value of ``text`` and the 1-based line of every key and item by its path.

    A repeated key keeps the last value, as in JavaScript.

    Raises:
        JsoncError: the text is empty, malformed or nested deeper than 200 levels.
    """
    parser = _Parser(text)
    value = parser.value((), 0)
    parser.skip_blank()
    if parser.at != len(text):
        raise parser.error("expected the end of the file")
    return value, parser.lines


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}

    def error(self, expected: str) -> JsoncError:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end of the file"
        return JsoncError(f"{expected} but found {found}", self._line())

    def skip_blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def value(self, path: KeyPath, depth: int) -> JsonValue:
        self.skip_blank()
        self.lines.setdefault(path, self._line())
        if depth > _MAX_DEPTH:
            raise JsoncError(f"nested deeper than {_MAX_DEPTH} levels", self._line())
        match self.text[self.at : self.at + 1]:
            case "{":
                return self._object(path, depth)
            case "[":
                return self._array(path, depth)
            case '"':
                return self._string()
            case _:
                return self._literal()

    def _object(self, path: KeyPath, depth: int) -> dict[str, JsonValue]:
        result: dict[str, JsonValue] = {}
        self.at += 1
        while not self._take("}"):
            if not self._looking_at('"'):
                raise self.error("expected a key in double quotes or '}'")
            line = self._line()
            key = self._string()
            self.lines[(*path, key)] = line
            if not self._take(":"):
                raise self.error("expected ':'")
            result[key] = self.value((*path, key), depth + 1)
            if not self._take(",") and not self._looking_at("}"):
                raise self.error("expected ',' or '}'")
        return result

    def _array(self, path: KeyPath, depth: int) -> list[JsonValue]:
        result: list[JsonValue] = []
        self.at += 1
        while not self._take("]"):
            result.append(self.value((*path, len(result)), depth + 1))
            if not self._take(",") and not self._looking_at("]"):
                raise self.error("expected ',' or ']'")
        return result

    def _string(self) -> str:
        try:
            result, self.at = scanstring(self.text, self.at + 1)
        except json.JSONDecodeError as error:
            raise JsoncError(error.msg, error.lineno) from None
        return str(result)

    def _literal(self) -> JsonValue:
        match = _LITERAL.match(self.text, self.at)
        if match is None:
            raise self.error("expected a value")
        self.at = match.end()
        result: JsonValue = json.loads(match.group())
        return result

    def _looking_at(self, mark: str) -> bool:
        self.skip_blank()
        return self.text.startswith(mark, self.at)

    def _take(self, mark: str) -> bool:
        found = self._looking_at(mark)
        self.at += len(mark) if found else 0
        return found

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
