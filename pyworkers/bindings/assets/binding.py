"""``env.ASSETS``: the worker's own assets.

Source: developers.cloudflare.com/workers/static-assets/binding; recorded, contracts/assets, assets.binding.fetch
"""

from __future__ import annotations

from typing import Any

from pyworkers.bindings.assets.site import AssetSite
from pyworkers.js.promise import js_async
from pyworkers.js.redirects import follow_redirects
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsProxy


class AssetsFetcher(JsProxy, js_name="Fetcher"):
    """The binding.

    Args:
        site: the assets.
    """

    def __init__(self, site: AssetSite) -> None:
        self._site = site

    @js_async
    async def fetch(self, request: Any = None, init: Any = None) -> Response:
        """``fetch(input, init)``: of the URL only the path counts."""
        return await follow_redirects(Request.for_fetch(request, init), self._send)

    async def _send(self, request: Request) -> Response:
        return self._site.respond(request).received(request)
