"""What an event's name says about the user's intent and mood, by rules.

A name is taken apart into words (`form_field_focus`, `settingsOpen`, `checkout:error`), and a rule is about whole words
and their inflections: `performance` has no form in it, and `unlike` is no like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

INTENTS: Final = ("interact", "purchase", "help", "configure", "explore", "error", "submit", "search", "unknown")
SENTIMENTS: Final = ("positive", "neutral", "negative")

NAMES_KEPT: Final = 4096

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDINGS: Final = frozenset(("", "s", "es", "d", "ed", "ing", "ped", "ping", "led", "ling", "ted", "ting"))

_CLICK: Final = ("click", "tap", "press")
_CONFIGURE: Final = ("config", "configure", "configuration", "setting", "preference")
# Of a click: what was clicked. The first that fits.
_CLICKED: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("purchase", ("buy", "bought", "purchase", "purchasing", "checkout")),
    ("help", ("help", "support", "contact")),
    ("configure", _CONFIGURE),
)
_INTENTS: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("configure", _CONFIGURE),
    ("explore", ("view", "open", "navigate", "navigating", "navigation")),
    ("error", ("error", "fail", "failure", "crash")),
    ("submit", ("submit", "submission")),
    ("search", ("search", "query", "queries", "queried")),
    ("interact", ("focus", "blur")),
)
_NEGATIVE: Final = (
    "error fail failure crash cancel cancellation close closing exit dislike disliking unlike unliking unshare"
)
_POSITIVE: Final = (
    "success successful successfully complete completing completion purchase purchasing buy bought share sharing "
    "like liking favorite"
)
_SENTIMENTS: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("negative", _NEGATIVE.split()),
    ("positive", _POSITIVE.split()),
)


@dataclass(frozen=True, slots=True)
class Label:
    """What an event means: one of INTENTS and one of SENTIMENTS."""

    intent: str
    sentiment: str


@lru_cache(maxsize=NAMES_KEPT)
def label_by_rules(name: str) -> Label:
    """Return what the name of an event says. A tenant's events have few names, which come again and again."""
    words = [word.lower() for word in _WORD.findall(name)]
    return Label(_intent(words), _first(_SENTIMENTS, words) or "neutral")


def _intent(words: Sequence[str]) -> str:
    if _has(words, _CLICK):
        return _first(_CLICKED, words) or "interact"
    return _first(_INTENTS, words) or "unknown"


def _first(rules: Sequence[tuple[str, Sequence[str]]], words: Sequence[str]) -> str | None:
    return next((name for name, stems in rules if _has(words, stems)), None)


def _has(words: Iterable[str], stems: Sequence[str]) -> bool:
    return any(word.startswith(stem) and word[len(stem) :] in _ENDINGS for word in words for stem in stems)
