"""Words what is wrong with a JSON text, as V8 does.

Source: V8, src/json/json-parser.cc and src/common/message-template.h; recorded, contracts/fetchapi,
fetchapi.globals.json
"""

from __future__ import annotations

import re
from typing import Final

_CONTEXT: Final = 10  # characters of the text that a message shows on either side
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_SPECIAL: Final = frozenset({"NaN", "Infinity", "undefined", "[object Object]"})
_ESCAPES: Final = frozenset('"\\/bfnrtu')


def explain(text: str) -> str:
    """Return V8's message for a text that is not JSON."""
    try:
        _Scanner(text).run()
    except _Found as found:
        return found.message
    return "Unexpected end of JSON input"


class _Found(Exception):
    """The first mistake."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Scanner:
    """Walks over a text until the first mistake, without building values or recursing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def run(self) -> None:
        """Scan the whole text."""
        closers: list[str] = []
        while True:
            if self._open_or_value(closers):
                continue  # a container began: its first value is next
            while closers:
                if self._next_member(closers):
                    break
                closers.pop()
                self.at += 1
            else:
                if self._peek():
                    self._fail_at("Unexpected non-whitespace character after JSON")
                return

    def _open_or_value(self, closers: list[str]) -> bool:
        """Scan a value; True when it is a container with something in it."""
        character = self._peek()
        if character not in ("{", "["):
            self._scalar(character)
            return False
        self.at += 1
        closer = "}" if character == "{" else "]"
        if self._peek() == closer:
            self.at += 1
            return False
        closers.append(closer)
        if closer == "}":
            self._name("Expected property name or '}'")
        return True

    def _next_member(self, closers: list[str]) -> bool:
        """After a value inside of a container: True when another follows."""
        character = self._peek()
        if character == closers[-1]:
            return False
        if character != ",":
            what = "'}' after property value" if closers[-1] == "}" else "']' after array element"
            self._fail_at(f"Expected ',' or {what} in JSON")
        self.at += 1
        if closers[-1] == "}":
            self._peek()
            self._name("Expected double-quoted property name")
        return True

    def _name(self, expectation: str) -> None:
        if self._peek() != '"':
            self._fail_at(f"{expectation} in JSON")
        self._string()
        if self._peek() != ":":
            self._fail_at("Expected ':' after property name in JSON")
        self.at += 1

    def _scalar(self, character: str) -> None:
        if character == '"':
            self._string()
        elif character and character in "-0123456789":
            self._number()
        else:
            for word in ("true", "false", "null"):
                if character == word[0]:
                    self._word(word)
                    return
            self._unexpected()

    def _word(self, word: str) -> None:
        for expected in word:
            if self.text[self.at : self.at + 1] != expected:
                self._unexpected()
            self.at += 1

    def _number(self) -> None:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self.at += 1
            self._fail_at("No number after minus sign in JSON")
            return
        self.at = match.end()
        if match.group().endswith("0") and match.group().lstrip("-") == "0" and self._is_digit():
            self._fail_at("Unexpected number in JSON")
        if self._skip("."):
            self._digits("Unterminated fractional number in JSON")
        if self._skip("e") or self._skip("E"):
            if not self._skip("+"):
                self._skip("-")
            self._digits("Exponent part is missing a number in JSON")

    def _digits(self, otherwise: str) -> None:
        if not self._is_digit():
            self._fail_at(otherwise)
        while self._is_digit():
            self.at += 1

    def _string(self) -> None:
        self.at += 1
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                return
            if character < " ":
                self._fail_at("Bad control character in string literal in JSON")
            if character == "\\":
                self._escape()
            self.at += 1
        self._fail_at("Unterminated string in JSON")

    def _escape(self) -> None:
        self.at += 1
        if self.at >= len(self.text):
            self._fail_at("Unterminated string in JSON")
        if self.text[self.at] not in _ESCAPES:
            self._fail_at("Bad escaped character in JSON")
        if self.text[self.at] == "u":
            for _ in range(4):
                self.at += 1
                if self.text[self.at : self.at + 1] not in frozenset("0123456789abcdefABCDEF"):
                    self._fail_at("Bad Unicode escape in JSON")

    def _peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in " \t\n\r":
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _skip(self, character: str) -> bool:
        found = self.text[self.at : self.at + 1] == character
        self.at += found
        return found

    def _is_digit(self) -> bool:
        return self.text[self.at : self.at + 1] in frozenset("0123456789")

    def _unexpected(self) -> None:
        """Name the character that cannot stand here, with its surroundings."""
        text, at = self.text, self.at
        if text in _SPECIAL:
            raise _Found(f'"{text}" is not valid JSON')
        if at >= len(text):
            raise _Found("Unexpected end of JSON input")
        if text[at] == '"':
            self._fail_at("Unexpected string in JSON")
        if text[at] in "-0123456789":
            self._fail_at("Unexpected number in JSON")
        if len(text) <= 2 * _CONTEXT:
            shown = f'"{text}"'
        elif at < _CONTEXT:
            shown = f'"{text[: at + _CONTEXT]}"...'
        elif at < len(text) - _CONTEXT:
            shown = f'..."{text[at - _CONTEXT : at + _CONTEXT]}"...'
        else:
            shown = f'..."{text[at - _CONTEXT :]}"'
        raise _Found(f"Unexpected token '{text[at]}', {shown} is not valid JSON")

    def _fail_at(self, what: str) -> None:
        before = re.split(r"\r\n|\r|\n", self.text[: self.at])
        raise _Found(f"{what} at position {self.at} (line {len(before)} column {len(before[-1]) + 1})")
