"""Vectors without a model: hashed words, so that texts which share words are near each other.

They have the dimensions of the model that was asked for, so that what stores them fits production's index.
"""

from __future__ import annotations

import hashlib
import math
import re

__all__ = ["hashed_vector"]

_WORD = re.compile(r"\w+")
_GRAM = 3
_GRAM_WEIGHT = 0.3


def hashed_vector(text: str, dimensions: int) -> list[float]:
    """Return a vector of Euclidean length 1, the same for the same text everywhere; of no words, the first axis."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()):
        _add(vector, word, 1.0)
        padded = f"<{word}>"
        for start in range(len(padded) - _GRAM + 1):
            _add(vector, padded[start : start + _GRAM], _GRAM_WEIGHT)
    length = math.sqrt(math.fsum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def _add(vector: list[float], feature: str, weight: float) -> None:
    digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
    vector[(digest >> 1) % len(vector)] += weight if digest & 1 else -weight
