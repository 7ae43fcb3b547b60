"""What the runtime counts: calls, errors, latency, CPU time, cold starts; by worker and by edge between workers."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

LATENCY_BUCKETS_S: Final = (
    0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
)  # fmt: skip


class Histogram:
    """Durations counted by bucket; ``counts`` has one more entry than the buckets, for what exceeds them all."""

    __slots__ = ("count", "counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.count = 0
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        self.count += 1
        self.sum_s += seconds


@dataclass(slots=True)
class CallMetrics:
    """Calls of one kind. ``errors`` are calls that ended in an exception."""

    calls: int = 0
    errors: int = 0
    latency: Histogram = field(default_factory=Histogram)

    def record(self, seconds: float, *, failed: bool) -> None:
        """Count one finished call."""
        self.calls += 1
        self.errors += failed
        latency = self.latency  # as `Histogram.observe`, without the call: this runs for every event
        latency.counts[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        latency.count += 1
        latency.sum_s += seconds


@dataclass(slots=True)
class WorkerMetrics:
    """One worker's events. ``cpu_s`` is thread CPU time; ``memory_bytes`` what its code took when it was loaded."""

    events: defaultdict[str, CallMetrics] = field(default_factory=lambda: defaultdict(CallMetrics))
    cpu_s: float = 0.0
    cold_starts: int = 0
    cold_start_s: float = 0.0
    memory_bytes: int = 0


@dataclass(slots=True)
class Metrics:
    """Everything counted since the process started.

    Attributes:
        workers: by worker name.
        edges: by calling worker, binding name, and kind: ``fetch`` or ``rpc``.
    """

    workers: defaultdict[str, WorkerMetrics] = field(default_factory=lambda: defaultdict(WorkerMetrics))
    edges: defaultdict[tuple[str, str, str], CallMetrics] = field(default_factory=lambda: defaultdict(CallMetrics))
