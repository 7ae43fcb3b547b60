"""Texts on their way to R2."""

from __future__ import annotations


def wire_text(text: str) -> str:
    """Return a text as R2 receives it: three bytes are sent of a lone surrogate, each of which is read as U+FFFD.

    Source: recorded, own.r2.keys.odd
    """
    if text.isascii():
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
