"""What may be written in ``[assets]``.

Source: workers-sdk packages/workers-shared/utils (parseStaticRouting, base-path)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pyworkers.config.source import Source
from pyworkers.config.tables import Assets
from pyworkers.config.values import Values

MAX_RULES: Final = 100
MAX_RULE_LENGTH: Final = 100

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


def check_assets(source: Source, values: Values, assets: Assets, *, has_main: bool) -> None:
    """Check a worker's assets.

    Raises:
        ConfigError: in wrangler's words.
    """
    if not has_main and assets.binding is not None:
        raise source.error(
            "Cannot use assets with a binding in an assets-only Worker.",
            values.path("assets", "binding"),
            hint="Remove the asset binding, or provide a Worker script with `main`.",
        )
    if not has_main and assets.run_worker_first:
        raise source.error(
            "Cannot set run_worker_first without a Worker script.",
            values.path("assets", "run_worker_first"),
            hint="Remove run_worker_first, or provide a Worker script with `main`.",
        )
    if not isinstance(assets.run_worker_first, bool):
        problem = worker_first_problem(assets.run_worker_first)
        if problem is not None:
            raise source.error(problem, values.path("assets", "run_worker_first"), hint="Correct the rules.")
    problem = base_path_problem(assets.base_path or "/")
    if problem is not None:
        raise source.error(problem, values.path("assets", "base_path"), hint='Write it as "/docs/".')


def worker_first_problem(rules: Sequence[str]) -> str | None:
    """Return what is wrong with the rules of ``run_worker_first``, or None."""
    if not rules:
        return "No `run_worker_first` rules were provided; must provide at least 1 rule."
    if len(rules) > MAX_RULES:
        return (
            f"Too many `run_worker_first` rules were provided; {len(rules)} rules provided exceeds max of {MAX_RULES}."
        )
    wrong = [f"'{rule}': {problem}" for rule in rules if (problem := _rule_problem(rule))]
    excluding = [rule for rule in rules if rule.startswith("!/")]
    including = [rule for rule in rules if rule.startswith("/")]
    if excluding and not including:
        return "Only negative `run_worker_first` rules were provided; must provide at least 1 non-negative rule"
    wrong += [*_redundant(including), *_redundant(excluding)]
    return "Invalid routes in `run_worker_first`:\n" + "\n".join(wrong) if wrong else None


def base_path_problem(path: str) -> str | None:
    """Return what is wrong with a ``base_path``, or None."""
    if path.startswith("//") or _SCHEME.match(path):
        return "The value must be a pathname, not a URL."
    if "\\" in path:
        return "The value must not contain backslashes."
    if _CONTROL.search(path):
        return "The value must not contain control characters."
    if "?" in path or "#" in path:
        return "The value must not contain query strings or fragments."
    return "The value must not contain percent-encoded sequences." if "%" in path else None


def normalize_base_path(path: str) -> str:
    """Return a ``base_path`` with slashes at both ends, empty and dot segments resolved; ``/`` is none."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return f"/{'/'.join(kept)}/" if kept else "/"


def _rule_problem(rule: str) -> str | None:
    if rule.startswith("!") and not rule.startswith("!/"):
        return "negative rules must start with '!/'"
    if not rule.startswith(("/", "!/")):
        return "rules must start with '/' or '!/'"
    if len(rule) > MAX_RULE_LENGTH:
        return f"all rules must be less than {MAX_RULE_LENGTH} characters in length"
    return None


def _redundant(rules: Sequence[str]) -> list[str]:
    problems = []
    for index, rule in enumerate(rules):
        if rule in rules[:index]:
            problems.append(f"'{rule}': rule is a duplicate; rules must be unique")
        if rule.endswith("*"):
            covered = [other for other in rules if other != rule and other.startswith(rule[:-1])]
            problems += [f"'{other}': rule '{rule}' makes it redundant" for other in covered]
    return problems
