"""Static assets: files of a folder."""

from __future__ import annotations

from pyworkers.engines.assets.directory import Asset, AssetDirectory

__all__ = ["Asset", "AssetDirectory"]
