"""Takes Markdown code fences off an answer that should be bare JSON, while it streams."""

from __future__ import annotations

import re

_OPENING = re.compile(r"\s*(?:```[A-Za-z]*\s*)?")
_COULD_OPEN = re.compile(r"\s*(?:`{1,2}|```[A-Za-z]*\s*)?")
_CLOSING = re.compile(r"\s*(?:```\s*)?\Z")
_COULD_CLOSE = re.compile(r"[\s`]*\Z")


class FenceStripper:
    """Drops what stands before and after the answer: white space, and a fence that may be split over tokens."""

    def __init__(self) -> None:
        self._held = ""
        self._has_begun = False

    def feed(self, text: str) -> str:
        """Return what of the text so far can be no part of a fence."""
        self._held += text
        if not self._has_begun:
            if _COULD_OPEN.fullmatch(self._held):
                return ""
            self._has_begun = True
            self._held = self._held[_match_end(_OPENING, self._held) :]
        keep = _COULD_CLOSE.search(self._held)
        assert keep is not None
        ready, self._held = self._held[: keep.start()], self._held[keep.start() :]
        return ready

    def finish(self) -> str:
        """Return the rest, without the closing fence."""
        rest, self._held = self._held, ""
        if not self._has_begun:
            rest = rest[_match_end(_OPENING, rest) :]
        closing = _CLOSING.search(rest)
        return rest[: closing.start()] if closing else rest


def _match_end(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0
