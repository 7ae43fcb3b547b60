"""Analytics Engine: engines that take data points."""

from __future__ import annotations

from pyworkers.engines.analytics.protocol import AnalyticsEngine, DataPoint

__all__ = ["ENGINES", "AnalyticsEngine", "DataPoint"]

# Short name -> where the class is; imported when chosen.
ENGINES = {"sqlite": "pyworkers.engines.analytics.sqlite_engine:SqliteAnalyticsEngine"}
