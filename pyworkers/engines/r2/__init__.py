"""R2: engines that store objects in a bucket."""

from __future__ import annotations

from pyworkers.engines.r2.conditions import R2Condition, R2Etag
from pyworkers.engines.r2.protocol import (
    DigestMismatch,
    InvalidPart,
    MultipartError,
    NoSuchUpload,
    PartTooSmall,
    R2Attributes,
    R2Digest,
    R2Engine,
    R2Object,
    R2Page,
    R2Part,
    R2Reading,
    RepeatedPart,
    UnevenParts,
    UnknownUpload,
)

__all__ = [
    "ENGINES",
    "DigestMismatch",
    "InvalidPart",
    "MultipartError",
    "NoSuchUpload",
    "PartTooSmall",
    "R2Attributes",
    "R2Condition",
    "R2Digest",
    "R2Engine",
    "R2Etag",
    "R2Object",
    "R2Page",
    "R2Part",
    "R2Reading",
    "RepeatedPart",
    "UnevenParts",
    "UnknownUpload",
]

# Short name -> where the class is; imported when chosen.
ENGINES = {
    "moto": "pyworkers.engines.r2.moto_engine:MotoR2Engine",
    "s3": "pyworkers.engines.r2.s3_engine:S3R2Engine",
}
