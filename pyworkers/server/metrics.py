"""The runtime's counts as Prometheus text.

Source: prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pyworkers.runtime.metrics import LATENCY_BUCKETS_S, CallMetrics, Histogram, Metrics

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_WORKER_COUNTERS: Final = (
    ("cpu_seconds_total", "counter", "Thread CPU time of a worker's events.", "cpu_s"),
    ("cold_starts_total", "counter", "How often a worker's code was loaded.", "cold_starts"),
    ("cold_start_seconds", "gauge", "How long the last load took.", "cold_start_s"),
    ("memory_bytes", "gauge", "What a worker's code took when it was last loaded.", "memory_bytes"),
)


def render_metrics(metrics: Metrics, *, resident_bytes: int | None = None) -> str:
    """Return every count in Prometheus' text format; names start with ``pyworkers_``.

    Args:
        resident_bytes: the process's resident memory, where it is known.
    """
    events = [
        ({"worker": worker, "kind": kind}, calls)
        for worker, counted in sorted(metrics.workers.items())
        for kind, calls in sorted(counted.events.items())
    ]
    edges = [
        ({"worker": caller, "binding": binding, "kind": kind}, calls)
        for (caller, binding, kind), calls in sorted(metrics.edges.items())
    ]
    lines = [*_calls("events", "a worker's events", events), *_calls("service_calls", "calls over a binding", edges)]
    for name, kind, text, field in _WORKER_COUNTERS:
        lines += _family(f"worker_{name}", kind, text)
        for worker, counted in sorted(metrics.workers.items()):
            lines.append(f"pyworkers_worker_{name}{_labels({'worker': worker})} {_number(getattr(counted, field))}")
    if resident_bytes is not None:
        lines += _family("process_resident_bytes", "gauge", "Resident memory of the server.")
        lines.append(f"pyworkers_process_resident_bytes {resident_bytes}")
    return "\n".join(lines) + "\n"


def resident_bytes() -> int | None:
    """Return the process's resident memory, or None where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  # pathlib costs more than the read
            pages = int(statm.read().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    import resource

    return pages * resource.getpagesize()


def _calls(name: str, text: str, counted: Iterable[tuple[dict[str, str], CallMetrics]]) -> Iterator[str]:
    counted = list(counted)
    yield from _family(f"{name}_total", "counter", f"Count of {text}.")
    for labels, calls in counted:
        yield f"pyworkers_{name}_total{_labels(labels)} {calls.calls}"
    yield from _family(f"{name}_errors_total", "counter", f"Count of {text} that ended in an exception.")
    for labels, calls in counted:
        yield f"pyworkers_{name}_errors_total{_labels(labels)} {calls.errors}"
    yield from _family(f"{name}_duration_seconds", "histogram", f"Wall time of {text}.")
    for labels, calls in counted:
        yield from _histogram(f"pyworkers_{name}_duration_seconds", labels, calls.latency)


def _histogram(name: str, labels: dict[str, str], histogram: Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip(LATENCY_BUCKETS_S, histogram.counts, strict=False):
        total += count
        yield f"{name}_bucket{_labels({**labels, 'le': _number(bound)})} {total}"
    yield f"{name}_bucket{_labels({**labels, 'le': '+Inf'})} {histogram.count}"
    yield f"{name}_sum{_labels(labels)} {_number(histogram.sum_s)}"
    yield f"{name}_count{_labels(labels)} {histogram.count}"


def _family(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP pyworkers_{name} {text}", f"# TYPE pyworkers_{name} {kind}"]


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return repr(value) if isinstance(value, int) else format(value, ".9g")
