"""Static assets: what answers a request before the worker does, and ``env.ASSETS``."""

from __future__ import annotations

from pyworkers.bindings.assets.binding import AssetsFetcher
from pyworkers.bindings.assets.site import AssetSite

__all__ = ["AssetSite", "AssetsFetcher"]
