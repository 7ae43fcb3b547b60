"""Counts as Prometheus text."""

from __future__ import annotations

from pyworkers.runtime.metrics import Metrics
from pyworkers.server.metrics import render_metrics, resident_bytes


def test_every_count_is_rendered_with_its_labels() -> None:
    metrics = Metrics()
    worker = metrics.workers["api"]
    worker.events["fetch"].record(0.003, failed=False)
    worker.events["fetch"].record(20.0, failed=True)
    worker.cpu_s, worker.cold_starts, worker.cold_start_s, worker.memory_bytes = 0.25, 2, 0.01, 4096
    metrics.edges["api", "STREAMING", "rpc"].record(0.00003, failed=False)
    lines = render_metrics(metrics, resident_bytes=1000).splitlines()
    assert 'pyworkers_events_total{worker="api",kind="fetch"} 2' in lines
    assert 'pyworkers_events_errors_total{worker="api",kind="fetch"} 1' in lines
    assert 'pyworkers_events_duration_seconds_bucket{worker="api",kind="fetch",le="0.0025"} 0' in lines
    assert 'pyworkers_events_duration_seconds_bucket{worker="api",kind="fetch",le="0.005"} 1' in lines
    assert 'pyworkers_events_duration_seconds_bucket{worker="api",kind="fetch",le="10"} 1' in lines
    assert 'pyworkers_events_duration_seconds_bucket{worker="api",kind="fetch",le="+Inf"} 2' in lines
    assert 'pyworkers_events_duration_seconds_sum{worker="api",kind="fetch"} 20.003' in lines
    assert 'pyworkers_events_duration_seconds_count{worker="api",kind="fetch"} 2' in lines
    assert 'pyworkers_service_calls_total{worker="api",binding="STREAMING",kind="rpc"} 1' in lines
    assert 'pyworkers_service_calls_errors_total{worker="api",binding="STREAMING",kind="rpc"} 0' in lines
    assert 'pyworkers_worker_cpu_seconds_total{worker="api"} 0.25' in lines
    assert 'pyworkers_worker_cold_starts_total{worker="api"} 2' in lines
    assert 'pyworkers_worker_cold_start_seconds{worker="api"} 0.01' in lines
    assert 'pyworkers_worker_memory_bytes{worker="api"} 4096' in lines
    assert "pyworkers_process_resident_bytes 1000" in lines


def test_every_family_is_declared_once() -> None:
    metrics = Metrics()
    for name in ("a", "b"):
        metrics.workers[name].events["fetch"].record(0.1, failed=False)
    declared = [line.split()[2] for line in render_metrics(metrics).splitlines() if line.startswith("# TYPE")]
    assert len(declared) == len(set(declared)) == 10


def test_label_values_are_escaped() -> None:
    metrics = Metrics()
    metrics.edges["", 'a"b\\c\n', "fetch"].record(0.1, failed=False)
    assert 'pyworkers_service_calls_total{worker="",binding="a\\"b\\\\c\\n",kind="fetch"} 1' in render_metrics(metrics)


def test_resident_memory_is_known_here() -> None:
    resident = resident_bytes()
    assert resident is None or 1_000_000 < resident < 10_000_000_000
