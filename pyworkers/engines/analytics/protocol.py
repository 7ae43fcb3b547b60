"""What an Analytics Engine engine does."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

BLOBS = 20
DOUBLES = 20


@dataclass(frozen=True, slots=True)
class DataPoint:
    """One data point.

    Attributes:
        timestamp_ms: milliseconds since the Unix epoch, UTC.
        index: what points are sampled by; "" for none.
        blobs: at most 20 texts or bytes, None where one was left out.
        doubles: at most 20 numbers.
        sample_interval: how many points this one stands for.
    """

    dataset: str
    timestamp_ms: int
    index: str = ""
    blobs: tuple[str | bytes | None, ...] = ()
    doubles: tuple[float, ...] = ()
    sample_interval: int = 1


class AnalyticsEngine(Protocol):
    """All datasets of a project.

    Laws, each with a test of the same words in tests/contract/engines/test_analytics_engine.py:

    - a write returns at once, and the point is there after a flush
    - points of a dataset are read in the order in which they were written
    - a blob that was left out reads as the empty text, a double as 0
    - a double that is no number reads as NaN
    - datasets are apart
    - what was flushed is there after the engine is opened again
    - close flushes, is idempotent, and every use after it raises EngineClosed
    """

    def write(self, point: DataPoint) -> None:
        """Take a point; it is stored soon. A storage failure is raised by the next `flush`."""
        ...

    async def flush(self) -> None:
        """Wait until everything written so far is durable.

        Raises:
            EngineError: the storage failed; the points of that time are lost.
        """
        ...

    async def read(self, dataset: str) -> list[DataPoint]:
        """Return a dataset's points."""
        ...

    async def close(self) -> None:
        """Flush and give everything back."""
        ...

    async def __aenter__(self) -> AnalyticsEngine: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
