"""One request, with what its handler needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult

import js

from workers import Request

from .identity import NOBODY, Identity
from .tenancy import TenantData


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        url: of the request, in parts; its path is without the version.
        tail: what followed the route's prefix; see `Match`.
        request_id: names the request in logs, here and in the workers behind this one.
        identity: who calls.
        shared: what several GraphQL fields of the request need, read once.
    """

    request: Request
    env: Any
    ctx: Any
    url: SplitResult
    tail: str
    request_id: str = ""
    identity: Identity = field(default=NOBODY)
    shared: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.request.js_object.method)

    @property
    def tenant_id(self) -> str:
        """Whose data the request is about."""
        return self.identity.tenant_id

    @property
    def data(self) -> TenantData:
        """The tenant's data."""
        return TenantData(self.env, self.identity.tenant_id)


def now_ms() -> int:
    """Return the time, milliseconds since the epoch."""
    return int(js.Date.now())
