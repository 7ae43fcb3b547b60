"""What each tier may use. -1 means unlimited.

Source: the limits that upstream publishes for its tiers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["OK", "WARNING", "CRITICAL", "EXCEEDED"]
UNLIMITED: Final = -1
ORDER: Final = ("free", "developer", "business", "enterprise")
FEATURES: Final = (
    "basicMetrics",
    "advancedAnalytics",
    "aiInsights",
    "customDashboards",
    "dataExport",
    "realTimeAnalytics",
)


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier.

    Attributes:
        events_per_month: events that are stored in a month (UTC).
        ai_requests_per_month: generations in a month.
        max_flows: flows at a time.
        requests_per_minute: of each key and session.
        retention_days: how long events are kept.
        max_tokens: of one generation.
    """

    name: str
    events_per_month: int
    ai_requests_per_month: int
    max_flows: int
    requests_per_minute: int
    retention_days: int
    features: frozenset[str]
    max_tokens: int = 8192

    def limits(self) -> dict[str, int]:
        """Return GraphQL's `UsageLimits`."""
        return {
            "eventsPerMonth": self.events_per_month,
            "maxFlows": self.max_flows,
            "aiRequestsPerMonth": self.ai_requests_per_month,
        }


_DEVELOPER = frozenset(FEATURES) - {"aiInsights"}
TIERS: Final[Mapping[str, Tier]] = {
    "free": Tier("free", 1000, 100, 10, 120, 7, frozenset({"basicMetrics"})),
    "developer": Tier("developer", 50_000, 5000, 100, 1200, 90, _DEVELOPER),
    "business": Tier("business", -1, 50_000, 500, 12_000, 365, frozenset(FEATURES)),
    "enterprise": Tier("enterprise", -1, -1, -1, 600_000, -1, frozenset(FEATURES)),
}
# Who sends no key: no monthly quota, which one visitor could use up for all others; limits for each address instead.
ANONYMOUS: Final = Tier("free", -1, -1, 0, 0, 7, frozenset(), max_tokens=512)


def level(current: int, limit: int) -> Level:
    """Return how near a figure is to its limit: 75 % is a warning, 90 % critical."""
    if limit == UNLIMITED:
        return "OK"
    if current >= limit:
        return "EXCEEDED"
    share = current / limit
    return "CRITICAL" if share >= 0.9 else "WARNING" if share >= 0.75 else "OK"


def percentage(current: int, limit: int) -> float:
    """Return how much of a limit is used, 0 to 100."""
    if limit == UNLIMITED:
        return 0.0
    return 100.0 if limit == 0 else min(100.0, current / limit * 100)
