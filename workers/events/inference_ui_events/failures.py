"""What goes wrong because of the caller. Over RPC it arrives as a JavaScript error of the same kind; see `rpc.py`."""

from __future__ import annotations


class BadArgument(Exception):
    """An argument is wrong: a TypeError for the caller.

    Args:
        name: the argument, such as `timeRange.start`.
        problem: what is wrong with it, such as `must be a string`.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name
        self.problem = problem


class NotFound(Exception):
    """The tenant has nothing of this id: a RangeError for the caller.

    Args:
        kind: such as `Funnel`.
    """

    def __init__(self, kind: str, id: str) -> None:  # noqa: A002  # the name that callers use
        super().__init__(f"{kind} not found: {id}")


class NotReady(Exception):
    """The database lacks tables that another worker makes: an Error for the caller."""
