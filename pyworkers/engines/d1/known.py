"""What is known of statements that ran before, and whether they are brief enough to run on the event loop."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from typing import Final, NamedTuple

from pyworkers.engines.d1.connection import STATEMENTS_KEPT
from pyworkers.engines.d1.counting import Plan
from pyworkers.engines.d1.protocol import D1Statement
from pyworkers.engines.d1.split import explains

# More than statements that the connection keeps compiled: what is compiled is known.
STATEMENTS_KNOWN: Final = 4 * STATEMENTS_KEPT
# What a call on the event loop may be expected to take, by what its statements took before, and the bytes that it may
# give to functions.
EXPECTED_S: Final = 0.0005
EXPECTED_BYTES: Final = 65_536
MAX_DOUBTED_RUNS: Final = 1_000

# A DELETE without a condition is one of SQLite's instructions, however many rows there are.
_STEADY: Final = re.compile(r"\s*(select|insert|replace|update|delete\b.*\bwhere)\b", re.IGNORECASE | re.DOTALL)
_READING: Final = ("select", "pragma", "explain", "values")
_SIZED: Final = frozenset({str, bytes})

sql_of: Final = itemgetter(0)
params_of: Final = itemgetter(1)


def may_be_brief(sql: str) -> bool:
    """Tell whether a statement is of a kind that is brief where it touches little."""
    return _STEADY.match(sql) is not None


@lru_cache(maxsize=STATEMENTS_KNOWN)
def begins_as_reading(sql: str) -> bool:
    """Tell whether a call of a statement that has not run yet may begin as one that reads."""
    return sql.lstrip()[:7].lower().startswith(_READING)


class Pace:
    """What a statement takes, in seconds: what it took last, where a hiccup makes it twice as much at most.

    On the thread that is the processor's time, which says nothing of a slow disk: a statement that overruns again and
    again on the event loop is believed the later each time.
    """

    __slots__ = ("_doubted_runs", "_overruns", "taken_s")

    def __init__(self) -> None:
        self.taken_s = math.inf
        self._overruns = 0
        self._doubted_runs = 0

    def note(self, taken_s: float) -> None:
        """Take in one run."""
        if self._doubted_runs:
            self._doubted_runs -= 1
            return
        if self.taken_s < math.inf:
            self._overruns = 0
        doubled_s = 2 * self.taken_s
        self.taken_s = taken_s if taken_s < doubled_s or taken_s > EXPECTED_S else doubled_s

    def note_overrun(self) -> None:
        """Expect nothing until it ran again, the first time; then until it ran again ever more often."""
        self.taken_s = math.inf
        self._overruns += 1
        self._doubted_runs = min(2**self._overruns - 2, MAX_DOUBTED_RUNS)


class Known(NamedTuple):
    """What is known of a statement.

    Attributes:
        sql: what SQLite is given for it.
        pace: None where what it took says nothing about what it will take.
    """

    sql: str
    columns: list[str]
    plan: Plan
    pace: Pace | None


class KnownStatements:
    """The statements that were used last, by their texts."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()

    def get(self, sql: str) -> Known | None:
        """Return what is known of a statement."""
        return self._known.get(sql)

    def use(self, sql: str) -> Known | None:
        """Return what is known of a statement, which is forgotten the later."""
        known = self._known.get(sql)
        if known is not None:
            self._known.move_to_end(sql)
        return known

    def learn(self, sql: str, run: str, columns: list[str], plan: Plan) -> Known:
        """Keep what a statement turned out to be, unless it is to be compiled anew each time."""
        pace = Pace() if plan.is_steady and may_be_brief(run) else None
        known = Known(run, columns, plan, pace)
        if explains(run):
            return known
        self._known[sql] = known
        self._known.move_to_end(sql)
        if len(self._known) > STATEMENTS_KNOWN:
            self._known.popitem(last=False)
        return known

    def are_brief(self, statements: Sequence[D1Statement]) -> bool:
        """Tell whether a call of these statements will hardly take long."""
        taken_s, calls_functions = 0.0, False
        for sql, alike in groupby(statements, sql_of):
            known = self._known.get(sql)
            if known is None or known.pace is None:
                return False
            taken_s += known.pace.taken_s * sum(1 for _ in alike)
            if taken_s > EXPECTED_S:
                return False
            calls_functions |= known.plan.calls_functions
        if not calls_functions:
            return True
        values = chain.from_iterable(map(params_of, statements))
        return sum([len(value) for value in values if value.__class__ in _SIZED]) <= EXPECTED_BYTES

    def note_overrun(self, statements: Sequence[D1Statement]) -> None:
        """Expect nothing of statements that took too long together, until they ran again."""
        for sql in set(map(sql_of, statements)):
            known = self._known.get(sql)
            if known is not None and known.pace is not None:
                known.pace.note_overrun()
