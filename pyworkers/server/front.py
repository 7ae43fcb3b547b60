"""What stands between a client and the primary worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyworkers.config.model import DevSettings, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Which of the two recorded fronts requests come through, and what ``request.cf`` says.

    Attributes:
        is_wrangler: what ``wrangler dev`` puts before the runtime: a proxy that takes hop-by-hop request headers away,
            gives every request but GET and HEAD a body, rewrites HTML, and shows what a worker throws as a page.
            False is the runtime alone.
        cf: properties that replace the local ones of ``request.cf``.

    Source: recorded, contracts/http_dev and contracts/http, which record the same requests through either
    """

    is_wrangler: bool = True
    cf: Mapping[str, JsonValue] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: DevSettings) -> Front:
        """Return the front that ``[tool.pyworkers.dev]`` asks for."""
        return cls(is_wrangler=settings.front == "wrangler", cf=settings.cf)


WRANGLER = Front()
