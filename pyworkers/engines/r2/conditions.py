"""When an operation on an object takes place: preconditions, as of RFC 9110 section 13.

Source: miniflare src/workers/r2/validator.worker.ts; recorded, contracts/r2, r2.cond.*
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class R2Etag:
    """An entity tag to compare with; ``value`` None is the wildcard that every object matches."""

    value: str | None
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class R2Condition:
    """What must hold of the object that is there. None: nothing is asked.

    Attributes:
        etag_matches: the object's tag is one of these; a weak one never matches.
        etag_does_not_match: the object's tag is none of these.
        uploaded_before_ms: it was uploaded earlier; not looked at where ``etag_matches`` holds.
        uploaded_after_ms: it was uploaded later; not looked at where ``etag_does_not_match`` holds.
        in_seconds: moments are compared in whole seconds, as HTTP dates are.
    """

    etag_matches: tuple[R2Etag, ...] | None = None
    etag_does_not_match: tuple[R2Etag, ...] | None = None
    uploaded_before_ms: int | None = None
    uploaded_after_ms: int | None = None
    in_seconds: bool = False

    def holds_without_object(self) -> bool:
        """Tell whether the condition holds where there is no object."""
        return self.etag_matches is None and self.uploaded_after_ms is None

    def holds(self, etag: str, uploaded_ms: int) -> bool:
        """Tell whether the condition holds for an object."""
        is_match = self.etag_matches is None or _includes(self.etag_matches, etag, is_strong=True)
        is_none_match = self.etag_does_not_match is None or not _includes(
            self.etag_does_not_match, etag, is_strong=False
        )
        if not is_match or not is_none_match:
            return False
        uploaded = self._moment(uploaded_ms)
        is_after = (
            self.uploaded_after_ms is None
            or self._moment(self.uploaded_after_ms) < uploaded
            or self.etag_does_not_match is not None
        )
        is_before = (
            self.uploaded_before_ms is None
            or uploaded < self._moment(self.uploaded_before_ms)
            or self.etag_matches is not None
        )
        return is_after and is_before

    def _moment(self, moment_ms: int) -> int:
        return moment_ms // 1000 if self.in_seconds else moment_ms


def _includes(etags: tuple[R2Etag, ...], etag: str, *, is_strong: bool) -> bool:
    return any(known.value is None or (known.value == etag and not (is_strong and known.is_weak)) for known in etags)
