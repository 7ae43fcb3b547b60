"""``RegExp``, run by Python's engine: the patterns that both languages share, and the spellings that differ.

Source: tc39.es/ecma262, section 22.2
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull, to_string
from pyworkers.js.values import JsException, JsObject, JsProxy, js_method, type_error

_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
# How Python's messages begin, and V8's words.
_MISTAKES: Final = {
    "missing ), unterminated": "Unterminated group",
    "unterminated character set": "Unterminated character class",
    "nothing to repeat": "Nothing to repeat",
    "multiple repeat": "Nothing to repeat",
    "unbalanced parenthesis": "Unmatched ')'",
    "bad escape (end of pattern)": "\\ at end of pattern",
    "min repeat greater than max": "numbers out of order in {} quantifier",
    "bad character range": "Range out of order in character class",
    "redefinition of group name": "Duplicate capture group name",
    "unknown extension": "Invalid group",
}
_CONTROLS: Final = {"\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r"}
_ESCAPED_BY_CODE: Final = frozenset(",-=<>#&!%:;@~'`\"\ufeff")
_KNOWN_FLAGS: Final = frozenset("dgimsuvy")
# What JavaScript spells otherwise: escapes that are skipped, named groups, code points, anchors, classes.
_SPELLINGS: Final = re.compile(
    r"\(\?<(?P<group>[A-Za-z_$][\w$]*)>|\\k<(?P<back>[A-Za-z_$][\w$]*)>|\\u\{(?P<point>[0-9a-fA-F]+)\}"
    r"|\\c(?P<control>[A-Za-z])|(?P<slash>\\/)|(?P<escape>\\.)|(?P<empty>\[\^?\])|(?P<end>\$)"
)


class RegExp(
    JsProxy,
    read_only="dotAll flags global hasIndices ignoreCase multiline source sticky unicode unicodeSets",
):
    """A regular expression."""

    def __init__(self, source: str, flags: str = "") -> None:
        self.source = source or "(?:)"
        self.flags = "".join(sorted(flags))
        self.lastIndex = 0
        self.__dict__["global"] = "g" in flags  # read as `global_`, for Python keeps the word
        self.ignoreCase = "i" in flags
        self.multiline = "m" in flags
        self.dotAll = "s" in flags
        self.sticky = "y" in flags
        self.unicode = "u" in flags
        self.unicodeSets = "v" in flags
        self.hasIndices = "d" in flags
        if not set(flags) <= _KNOWN_FLAGS or len(set(flags)) != len(flags):
            raise JsException("SyntaxError", f"Invalid flags supplied to RegExp constructor '{flags}'")
        try:
            self._pattern = re.compile(_translate(self.source, flags), _python_flags(flags))
        except re.error as error:
            message = f"Invalid regular expression: /{source}/{flags}: {_explain(error.msg)}"
            raise JsException("SyntaxError", message) from None

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new RegExp(pattern, flags)``."""
        source = args[0] if args else None
        flags = args[1] if len(args) > 1 else None
        if isinstance(source, RegExp):
            return cls(source.source, source.flags if flags is None else to_string(flags))
        return cls("" if source is None else to_string(source), "" if flags is None else to_string(flags))

    @staticmethod
    def static_escape(text: Any = None, *_: object) -> str:
        """``RegExp.escape``: a pattern that matches the text.

        Raises:
            JsException: TypeError, when it is none.
        """
        if not isinstance(text, str):
            raise type_error("Input string must be a string")
        return "".join(_escaped(char, is_first=index == 0) for index, char in enumerate(text))

    def toString(self) -> str:
        """``/source/flags``."""
        return f"/{self.source}/{self.flags}"

    @js_method
    def test(self, text: object = None) -> bool:
        """Tell whether the text matches."""
        return self._match(to_string(text)) is not None

    @js_method
    def exec(self, text: object = None) -> Any:
        """Return the match as an array with ``index``, ``input`` and ``groups``, or null."""
        subject = to_string(text)
        match = self._match(subject)
        return jsnull if match is None else _match_array(match, subject)

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Iterate all matches."""
        return self._pattern.finditer(text)

    def _match(self, text: str) -> re.Match[str] | None:
        moves = "g" in self.flags or self.sticky
        start = self.lastIndex if moves else 0
        match = None
        if start <= len(text):
            match = self._pattern.match(text, start) if self.sticky else self._pattern.search(text, start)
        if moves:
            self.lastIndex = 0 if match is None else match.end()
        return match


RegExp.constructor.call_without_new = RegExp.js_new


def _escaped(char: str, *, is_first: bool) -> str:
    """Return a character as ``RegExp.escape`` writes it."""
    if char in "^$\\.*+?()[]{}|/":
        return f"\\{char}"
    if char in _CONTROLS:
        return f"\\{_CONTROLS[char]}"
    is_escaped = (is_first and char.isascii() and char.isalnum()) or char in _ESCAPED_BY_CODE or char.isspace()
    if not is_escaped and not "\ud800" <= char <= "\udfff":
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def _explain(message: str) -> str:
    """Return V8's words for what Python's engine says is wrong."""
    return next((words for begin, words in _MISTAKES.items() if message.startswith(begin)), message)


def _match_array(match: re.Match[str], subject: str) -> JsArray:
    result: Any = JsArray([match.group(), *match.groups()])
    result.index = match.start()
    result.input = subject
    groups = match.groupdict()
    result.groups = JsObject(groups) if groups else None
    return result


def _python_flags(flags: str) -> int:
    value = 0 if "u" in flags or "v" in flags else int(re.ASCII) * ("i" not in flags)
    for flag in flags:
        value |= int(_FLAGS.get(flag, 0))
    return value


def _translate(source: str, flags: str) -> str:
    """Spell a JavaScript pattern in Python's way."""

    def replace(match: re.Match[str]) -> str:
        found = match.groupdict()
        if found["group"]:
            return f"(?P<{found['group']}>"
        if found["back"]:
            return f"(?P={found['back']})"
        if found["point"]:
            return re.escape(chr(int(found["point"], 16)))
        if found["control"]:
            return re.escape(chr(ord(found["control"]) % 32))
        if found["slash"]:
            return "/"
        if found["empty"]:
            return r"(?!)" if found["empty"] == "[]" else r"[\s\S]"
        if found["end"]:
            return "$" if "m" in flags else r"\Z"
        return (
            {r"\d": "[0-9]", r"\D": "[^0-9]"}.get(found["escape"], found["escape"])
            if _at_top(match)
            else str(found["escape"])
        )

    return _SPELLINGS.sub(replace, source)


def _at_top(match: re.Match[str]) -> bool:
    """Tell whether a match lies outside of a character class."""
    before = re.sub(r"\\.", "", match.string[: match.start()])
    return before.rfind("[") <= before.rfind("]")
