"""One request, with what its handler needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

import js

from workers import Request

# Requests without an API key belong to this tenant.
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        url: of the request, in parts.
        tail: what followed the route's prefix; see `Match`.
        tenant_id: whose data it reads and writes. Every statement and key carries it.
    """

    request: Request
    env: Any
    ctx: Any
    url: SplitResult
    tail: str
    tenant_id: str = ANONYMOUS

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.request.js_object.method)


def now_ms() -> int:
    """Return the time, milliseconds since the epoch."""
    return int(js.Date.now())
