"""The parts of a raw e-mail that the platform looks at.

Source: postal-mime, which the local runtime parses with
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.utils import getaddresses

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True)
class ParsedEmail:
    """The headers of an e-mail: names in lower case, values unfolded, in their order."""

    headers: tuple[tuple[str, str], ...]

    def find(self, name: str) -> str | None:
        """Return the first value of a header, decoded; None where it is missing or empty."""
        found = next((value for key, value in self.headers if key == name), "")
        return _decoded(found) or None

    @property
    def message_id(self) -> str | None:
        """``Message-ID``, with its brackets."""
        return self.find("message-id")

    @property
    def sender(self) -> str | None:
        """The address in ``From``."""
        return next(iter(self.addresses("from")), None)

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of a header, without names."""
        values = [_decoded(value) for key, value in self.headers if key == name]
        return [address for _, address in getaddresses(values) if address]


def parse_email(raw: bytes) -> ParsedEmail:
    """Read the headers of a raw message; what is no header has the whole line as its name."""
    head = _HEAD_END.split(raw, maxsplit=1)[0].decode("utf-8", "replace")
    lines = _FOLD.sub(" ", head).splitlines()
    pairs = (line.partition(":") for line in lines if line.strip())
    return ParsedEmail(tuple((name.strip().lower(), value.strip()) for name, _, value in pairs))


def _decoded(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError):
        return value
