"""Makes what a target needs out of the fuzzer's bytes; a change of one byte changes little of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Bytes that are used up from the front; past their end every choice is the first, every text empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_over(self) -> bool:
        """Tell whether everything is used up."""
        return self._at >= len(self._data)

    def byte(self) -> int:
        """Return a number from 0 to 255."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self, limit: int) -> int:
        """Return a number from 0 up to, and not including, a limit of at most 65,536."""
        return (self.byte() if limit <= 256 else self.byte() << 8 | self.byte()) % limit

    def choice(self, options: Sequence[T]) -> T:
        """Return one of some values."""
        return options[self.number(len(options))]

    def is_true(self) -> bool:
        """Return True or False."""
        return bool(self.byte() & 1)

    def raw(self, limit: int = 16) -> bytes:
        """Return up to so many bytes as they are."""
        size = self.number(limit + 1)
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def text(self, limit: int = 16) -> str:
        """Return a text of any characters, lone surrogates too."""
        return as_text(self.raw(limit))

    def mixture(self, words: Sequence[bytes], most: int = 40) -> bytes:
        """Return words of a language, and other bytes between them, until everything is used up."""
        parts = []
        while not self.is_over and len(parts) < most:
            index = self.number(len(words) + 2)
            parts.append(words[index] if index < len(words) else self.raw(6))
        return b"".join(parts)

    def cut(self, data: bytes) -> list[bytes]:
        """Return the bytes in pieces."""
        if self.is_true():
            return [data[index : index + 1] for index in range(len(data))]
        places = sorted({self.number(len(data) + 1) for _ in range(self.number(4) + 1)})
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def as_text(data: bytes) -> str:
    """Return bytes as a text; what is no UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")
