"""R2: what a worker finds in ``env`` for a bucket."""

from __future__ import annotations

from pyworkers.bindings.r2.bucket import R2Bucket

__all__ = ["R2Bucket"]
