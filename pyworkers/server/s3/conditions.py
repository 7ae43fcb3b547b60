"""What a request's headers ask of the object that is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from pyworkers.engines.r2.conditions import R2Condition, R2Etag

_ETAG: Final = re.compile(r'(W/)?"([^"]*)"|([^\s,"]+)')
_SECOND_MS: Final = 1000


def conditions_of(headers: Mapping[str, str], prefix: str = "") -> tuple[R2Condition, R2Condition]:
    """Return two conditions: where the first fails the answer is 412, where only the second fails 304 to a reader.

    Args:
        headers: lower-case names.
        prefix: stands before the names: ``x-amz-copy-source-``.
    """
    unmodified_ms = _moment_ms(headers.get(f"{prefix}if-unmodified-since"))
    must = R2Condition(
        etag_matches=_etags(headers.get(f"{prefix}if-match")),
        # R2's own condition wants it older; here the moment itself counts as unmodified.
        uploaded_before_ms=None if unmodified_ms is None else unmodified_ms + _SECOND_MS,
        in_seconds=True,
    )
    changed = R2Condition(
        etag_does_not_match=_etags(headers.get(f"{prefix}if-none-match")),
        uploaded_after_ms=_moment_ms(headers.get(f"{prefix}if-modified-since")),
        in_seconds=True,
    )
    return must, changed


def write_condition_of(headers: Mapping[str, str]) -> R2Condition | None:
    """Return what a write asks; None for nothing."""
    must, changed = conditions_of(headers)
    if must == changed:
        return None
    return R2Condition(
        must.etag_matches,
        changed.etag_does_not_match,
        must.uploaded_before_ms,
        changed.uploaded_after_ms,
        in_seconds=True,
    )


def _etags(text: str | None) -> tuple[R2Etag, ...] | None:
    """Return entity tags; clients also send them without quotes."""
    if text is None:
        return None
    if text.strip() == "*":
        return (R2Etag(None),)
    found = (match.groups() for match in _ETAG.finditer(text))
    return tuple(R2Etag(bare if quoted is None else quoted, is_weak=bool(weak)) for weak, quoted, bare in found)


def _moment_ms(text: str | None) -> int | None:
    """Return a date's milliseconds since the Unix epoch; what is no date asks nothing, as RFC 9110 has it."""
    try:
        return None if text is None else int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
