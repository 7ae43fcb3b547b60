"""``_headers``, ``_redirects`` and the patterns of ``run_worker_first``: how they are written and what they match.

A rule that is wrong is left out, and what is wrong with it is told in wrangler's words.

Source: developers.cloudflare.com/workers/static-assets/headers and /redirects; workers-sdk
packages/workers-shared/utils/configuration; recorded, contracts/assets, assets.headers.rules, assets.redirects.rules
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from pyworkers.js.url import parse_url

MAX_LINE_LENGTH: Final = 2_000
MAX_HEADER_RULES: Final = 100
MAX_STATIC_REDIRECTS: Final = 2_000
MAX_DYNAMIC_REDIRECTS: Final = 100

_STATUSES: Final = ("200", "301", "302", "303", "307", "308")
_ABSOLUTE: Final = re.compile(r"https://+([^/]+)/?(.*)")
_PATH_LINE: Final = re.compile(r"\S+://|/")
_SCHEME: Final = re.compile(r"\w+://")
_UNSET: Final = "! "
_NOT_A_PAIR: Final = "Expected a colon-separated header pair (e.g. name: value)"
_NO_SLASH: Final = "URLs should begin with a forward-slash."
_NO_URL: Final = (
    'URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS (e.g. begin with "https://").'
)
_LOOP: Final = (
    "Infinite loop detected in this rule and has been ignored. This will cause a redirect to strip `.html` or `/index` "
    "and end up triggering this rule again. Please fix or remove this rule to silence this warning."
)
# A placeholder, and whatever a pattern may hold beside text.
_PLACEHOLDER: Final = re.compile(":([A-Za-z][A-Za-z0-9_]*)")
_SPECIAL: Final = re.compile(r"\*|:[A-Za-z][A-Za-z0-9_]*")
_INDEX: Final = re.compile("/index(.html)?$")
# What may follow a placeholder in a host name.
_ESCAPED: Final = frozenset("-/\\^$*+?.()|[]{}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a rule matches: a path, or a host and a path."""

    regexp: re.Pattern[str]
    has_host: bool

    @classmethod
    def compile(cls, rule: str) -> Pattern | None:
        """Read a pattern of ``*`` and ``:name``; None where one name stands twice, which matches nothing."""
        try:
            return cls(re.compile(_expression(rule)), rule.startswith("https://"))
        except re.error:
            return None

    def match(self, host: str, path: str) -> dict[str, str] | None:
        """Return what its placeholders stand for, None where it does not match."""
        match = self.regexp.fullmatch(f"https://{host}{path}" if self.has_host else path)
        return None if match is None else match.groupdict()


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """What a rule of ``_headers`` does to the answers it matches."""

    pattern: Pattern
    set: Mapping[str, str]
    unset: Sequence[str]


@dataclass(frozen=True, slots=True)
class RedirectRule:
    """One line of ``_redirects``; ``status`` 200 answers with another asset."""

    to: str
    status: int
    pattern: Pattern | None


@dataclass(slots=True)
class Redirects:
    """The rules of ``_redirects``.

    Attributes:
        static: those before the first with a placeholder, by their path.
        dynamic: the others, in order.
        problems: what is wrong with the lines that were left out.
    """

    static: dict[str, RedirectRule] = field(default_factory=dict)
    dynamic: dict[str, RedirectRule] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def match(self, host: str, path: str) -> tuple[str, int] | None:
        """Return where a path leads, and the status."""
        found = self.static.get(path)
        if found is not None:
            return found.to, found.status
        for rule in self.dynamic.values():
            values = None if rule.pattern is None else rule.pattern.match(host, path)
            if values is not None:
                target = fill(rule.to, values).strip()
                return target if _SCHEME.match(target) else re.sub("/+", "/", target), rule.status
        return None


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of the placeholders of a text; one that has none stays as it is."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def parse_headers(text: str) -> tuple[list[HeaderRule], list[str]]:
    """Read ``_headers``; returns its rules in order, and what is wrong with the rest."""
    found: dict[str, tuple[dict[str, str], list[str]]] = {}
    problems: list[str] = []
    current: tuple[dict[str, str], list[str]] | None = None
    for number, line in _lines(text, problems):
        if _PATH_LINE.match(line):
            if len([rule for rule in found.values() if any(rule)]) >= MAX_HEADER_RULES:
                problems.append(f"Maximum number of rules supported is {MAX_HEADER_RULES}. Skipping the rest.")
                break
            path, wrong = _read_url(line)
            if path is None:
                problems.append(f"{number}: {wrong}")
                current = None
            else:
                current = found[path] = ({}, [])
            continue
        problem = _read_header(line, current)
        if problem:
            problems.append(f"{number}: {problem}")
    problems += [f"{path}: No headers specified" for path, rule in found.items() if not any(rule)]
    rules = [(Pattern.compile(path), rule) for path, rule in found.items() if any(rule)]
    return [HeaderRule(pattern, *rule) for pattern, rule in rules if pattern is not None], problems


def parse_redirects(text: str, *, handles_html: bool) -> Redirects:
    """Read ``_redirects``.

    Args:
        handles_html: whether ``html_handling`` redirects ``/index`` to ``/``, which some rules would undo.
    """
    redirects = Redirects()
    for number, line in _lines(text, redirects.problems):
        problem = _read_redirect(line, redirects, handles_html=handles_html)
        if problem:
            redirects.problems.append(f"{number}: {problem}")
    return redirects


def matches_glob(rules: Sequence[str], path: str) -> bool:
    """Tell whether a path matches one of some patterns of ``*``."""
    return any(_glob(rule).fullmatch(path) for rule in rules)


@lru_cache(maxsize=256)
def _glob(rule: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, rule.split("*"))))


# ---- lines


def _lines(text: str, problems: list[str]) -> list[tuple[int, str]]:
    """Return the lines that say something, with their numbers."""
    kept = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if len(line) > MAX_LINE_LENGTH:
            problems.append(f"Ignoring line {number} as it exceeds the maximum allowed length of {MAX_LINE_LENGTH}.")
        elif line and not line.startswith("#"):
            kept.append((number, line))
    return kept


def _read_header(line: str, rule: tuple[dict[str, str], list[str]] | None) -> str | None:
    """Add a header line to its rule; returns what is wrong with it."""
    name, colon, value = line.partition(":")
    name, value = name.strip().lower(), value.strip()
    if not colon:
        if rule is None:
            return "Expected a path beginning with at least one forward-slash"
        if not line.startswith(_UNSET):
            return _NOT_A_PAIR
        rule[1].append(line.removeprefix(_UNSET).strip())
        return None
    if " " in name:
        return "Header name cannot include spaces"
    if not name or not value:
        return "No header value specified" if name else "No header name specified"
    if rule is None:
        return f"Path should come before header ({name}: {value})"
    rule[0][name] = f"{rule[0][name]}, {value}" if name in rule[0] else value
    return None


def _read_redirect(line: str, redirects: Redirects, *, handles_html: bool) -> str | None:
    """Add a line to the redirects; returns what is wrong with it."""
    tokens = line.split()
    comment = next((index for index, token in enumerate(tokens) if index >= 2 and token.startswith("#")), len(tokens))
    tokens = tokens[:comment]
    if not 2 <= len(tokens) <= 3:
        return f"Expected exactly 2 or 3 whitespace-separated tokens. Got {len(tokens)}."
    status = tokens[2] if len(tokens) == 3 else "302"
    source, problem = _read_url(tokens[0], only_relative=True)
    if source is None:
        return problem
    target, problem = _read_url(tokens[1], allow_ports=True, whole=True)
    if target is None:
        return problem
    if status not in _STATUSES:
        return f"Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got {status}."
    if not _ABSOLUTE.match(target):
        leads_to_index = _INDEX.search(target) is not None
        if leads_to_index and (source.endswith("/*") or (source.endswith("/") and handles_html)):
            return _LOOP
    elif status == "200":
        return f"Proxy (200) redirects can only point to relative paths. Got {target}"
    if source in redirects.static or source in redirects.dynamic:
        return f"Ignoring duplicate rule for path {source}."
    is_static = not redirects.dynamic and not _SPECIAL.search(source)
    rules, most = (redirects.static, MAX_STATIC_REDIRECTS) if is_static else (redirects.dynamic, MAX_DYNAMIC_REDIRECTS)
    if len(rules) >= most:
        return f"Maximum number of {'static' if is_static else 'dynamic'} rules supported is {most}. Skipping line."
    rules[source] = RedirectRule(target, int(status), None if is_static else Pattern.compile(source))
    return None


def _read_url(
    token: str, *, only_relative: bool = False, allow_ports: bool = False, whole: bool = False
) -> tuple[str | None, str]:
    """Return a URL as it is compared, or None and what is wrong with it.

    Args:
        whole: keep query and fragment.
    """
    absolute = _ABSOLUTE.match(token)
    if absolute is not None:
        host, path = absolute.groups()
        if only_relative:
            return None, f"Only relative URLs are allowed. Skipping absolute URL {token}."
        if not allow_ports and re.search(r":\d+$", host):
            return None, f"Specifying ports is not supported. Skipping absolute URL {token}."
        return f"https://{host}{_path_of(path, whole=whole)}", ""
    if not token.startswith("/"):
        if not only_relative:
            return None, _NO_URL
        token = f"/{token}"
    path = _path_of(token, whole=whole)
    return (path, "") if path is not None else (None, f"Error parsing URL segment {token}. Skipping.")


def _path_of(path: str, *, whole: bool) -> str | None:
    parsed = parse_url(f"///{path.removeprefix('/')}", "relative://")
    if parsed is None:
        return None
    return f"{parsed.pathname}{parsed.search}{parsed.hash}" if whole else str(parsed.pathname)


def _expression(rule: str) -> str:
    """Return the regular expression of a pattern: ``*`` is anything, ``:name`` a segment, or a label of a host."""
    host_end = rule.find("/", len("https://")) if rule.startswith("https://") else -1
    parts, end = [], 0
    for match in _SPECIAL.finditer(rule):
        parts.append(re.escape(rule[end : match.start()]))
        end = match.end()
        if match[0] == "*":
            parts.append("(?P<splat>.*)")
        else:
            is_label = match.start() < host_end and rule[end : end + 1] in _ESCAPED
            parts.append(f"(?P<{match[0][1:]}>[^/{'.' if is_label else ''}]+)")
    return "".join([*parts, re.escape(rule[end:])])
