"""How many objects' files are open at a time.

An open SQLite database takes about 200 KB, an object that is merely alive must not. A file is opened when its object
touches its storage and closed when others need the place; what goes on in it (a transaction, a cursor that is being
read) keeps it open.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol

MAX_OPEN: Final = 64


class Closable(Protocol):
    """Something that takes a place."""

    def close_if_idle(self) -> bool:
        """Give the place back unless it is in use; tells whether it was given back."""
        ...


class Pool:
    """The places for open files, given to whoever used theirs last.

    Args:
        size: how many there are; more are open only while that many are in use.
    """

    def __init__(self, size: int = MAX_OPEN) -> None:
        self._size = size
        self._open: OrderedDict[Closable, None] = OrderedDict()

    def touch(self, member: Closable) -> None:
        """Note that a member was used just now."""
        self._open.move_to_end(member)

    def add(self, member: Closable) -> None:
        """Give a member a place; others that are idle lose theirs."""
        if len(self._open) >= self._size:
            for other in list(self._open):
                if other.close_if_idle():
                    del self._open[other]
                    if len(self._open) < self._size:
                        break
        self._open[member] = None

    def discard(self, member: Closable) -> None:
        """Forget a member that closed by itself."""
        self._open.pop(member, None)

    @property
    def count(self) -> int:
        """How many files are open."""
        return len(self._open)
