"""MIME types, parsed and written as the runtime does.

Source: mimesniff.spec.whatwg.org, section 4; recorded, contracts/fetchapi, fetchapi.response.formdata2
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

# The runtime's own table of token characters: it has the backslash, which RFC 9110 has not.
_TOKEN: Final = re.compile(r"[!#$%&'*+\\\-.^_`|~0-9A-Za-z]+")
_WHITESPACE: Final = " \t\r\n"
# Parts between commas, where a comma inside quotes divides nothing.
_PARTS: Final = re.compile(r'(?:[^",]|"(?:\\.|[^"\\])*"?)+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.|\\\Z)*+)"?', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class MimeType:
    """A MIME type: ``essence`` and parameter names in lower case, quotes undone."""

    essence: str
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> MimeType | None:
        """Parse one type, or return None where it is none; wrong parameters are skipped."""
        essence, _, rest = text.strip(_WHITESPACE).partition(";")
        kind, slash, subtype = essence.rstrip(_WHITESPACE).partition("/")
        if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
            return None
        return cls(f"{kind}/{subtype}".lower(), _parse_parameters(rest))

    @classmethod
    def extract(cls, header: str) -> MimeType | None:
        """Read a Content-Type header, which may hold several types: the last one counts."""
        found: MimeType | None = None
        for part in _PARTS.findall(header):
            mime_type = cls.parse(part)
            if mime_type is None or mime_type.essence == "*/*":
                continue
            if found is not None and found.essence == mime_type.essence and "charset" in found.parameters:
                mime_type.parameters.setdefault("charset", found.parameters["charset"])
            found = mime_type
        return found

    def __str__(self) -> str:
        written = [
            f"{' ' if name == 'boundary' else ''}{name}={_quote(value)}" for name, value in self.parameters.items()
        ]
        return ";".join([self.essence, *written])


def _parse_parameters(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    while text := text.lstrip(_WHITESPACE):
        name, delimiter, rest = _until_delimiter(text)
        if delimiter != "=":
            text = rest
            continue
        value, text = _parse_value(rest)
        if _TOKEN.fullmatch(name) and value is not None:
            parameters.setdefault(name.lower(), value)
    return parameters


def _until_delimiter(text: str) -> tuple[str, str, str]:
    match = re.search("[;=]", text)
    return (text, "", "") if match is None else (text[: match.start()], match[0], text[match.end() :])


def _parse_value(text: str) -> tuple[str | None, str]:
    """Return a parameter's value and what follows it; None where the value is wrong."""
    if text.startswith('"'):
        match = _QUOTED.match(text)
        assert match is not None
        quoted = _ESCAPE.sub(r"\1", match[1])
        return (quoted if _is_text(quoted) else None), text[match.end() :].partition(";")[2]
    value, _, rest = text.partition(";")
    value = value.rstrip(_WHITESPACE)
    return (value if value and _is_text(value) else None), rest


def _is_text(value: str) -> bool:
    return all(char == "\t" or (char >= " " and char != "\x7f") for char in value)


def _quote(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
