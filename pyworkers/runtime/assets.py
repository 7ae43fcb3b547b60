"""The static assets of a worker, as its configuration describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyworkers.config.assets import normalize_base_path
from pyworkers.config.model import WorkerConfig
from pyworkers.js.realm import Flags

if TYPE_CHECKING:
    from pyworkers.bindings.assets import AssetSite


def build_site(config: WorkerConfig, compat: Flags) -> AssetSite | None:
    """Return what answers with a worker's assets, None where it has none."""
    assets = config.assets
    if assets is None or assets.directory is None:
        return None
    from pyworkers.bindings.assets import AssetSite  # only a worker that has assets loads this
    from pyworkers.engines.assets import AssetDirectory

    return AssetSite(
        AssetDirectory((config.root / assets.directory).resolve()),
        html_handling=assets.html_handling,
        not_found_handling=assets.not_found_handling,
        base_path=normalize_base_path(assets.base_path or "/"),
        worker_first=assets.run_worker_first,
        has_worker=config.main is not None,
        prefers_assets=compat.enabled("assets_navigation_prefers_asset_serving"),
    )
