"""The ``onlyIf`` option: an object of conditions, or request headers.

Source: workerd src/workerd/api/r2-bucket.c++; recorded, contracts/r2, r2.cond.*
"""

from __future__ import annotations

import math
from typing import Any

from pyworkers.bindings.r2.text import wire_text
from pyworkers.engines.r2 import R2Condition, R2Etag
from pyworkers.js.dates import Date, parse_date
from pyworkers.js.headers import Headers
from pyworkers.js.primitives import is_nullish, to_boolean
from pyworkers.js.values import JsException, type_error
from pyworkers.js.webidl import field_error, is_object, option_reader


def read_condition(value: Any, dictionary: str) -> R2Condition | None:
    """Return the conditions of an ``onlyIf`` option; None where there are none.

    Raises:
        JsException: a field has the wrong type, or a header cannot be parsed.
    """
    if is_nullish(value):
        return None
    if isinstance(value, Headers):
        return _of_headers(value)
    if not is_object(value):
        raise field_error(dictionary, "onlyIf", "Conditional or Headers")
    option = option_reader(value)
    texts = [_text(option(name), name) for name in ("etagMatches", "etagDoesNotMatch")]
    before, after = (date_option(option(name), name, "Conditional") for name in ("uploadedBefore", "uploadedAfter"))
    in_seconds = to_boolean(option("secondsGranularity"))
    matches, does_not_match = (_etag(text) for text in texts)
    return R2Condition(matches, does_not_match, before, after, in_seconds=in_seconds)


def date_option(value: Any, field: str, dictionary: str) -> int | None:
    """Return a date, or a number, in milliseconds since the Unix epoch; None for undefined.

    Raises:
        JsException: TypeError, for anything else.
    """
    if value is None:
        return None
    if isinstance(value, Date):
        return _whole(value.getTime())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _whole(value)
    raise field_error(dictionary, field, "date")


def date_header(text: str) -> int:
    """Return an HTTP date in milliseconds since the Unix epoch; 0 for what is none."""
    return _whole(parse_date(text))


def _whole(moment_ms: float) -> int:
    return int(moment_ms) if math.isfinite(moment_ms) else 0


def _text(value: Any, field: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise field_error("Conditional", field, "string")
    return wire_text(value)


def _etag(text: str | None) -> tuple[R2Etag, ...] | None:
    if text is None:
        return None
    if text.startswith('"') and text.endswith('"'):
        raise type_error(f"Conditional ETag should not be wrapped in quotes ({text}).")
    return (R2Etag(None if text == "*" else text),)


def _of_headers(headers: Headers) -> R2Condition:
    matches, does_not_match = (_etags(headers, name) for name in ("if-match", "if-none-match"))
    since, unmodified = (headers.find(name) for name in ("if-modified-since", "if-unmodified-since"))
    return R2Condition(
        matches,
        does_not_match,
        None if unmodified is None else date_header(unmodified),
        None if since is None else date_header(since),
        in_seconds=True,
    )


def _etags(headers: Headers, name: str) -> tuple[R2Etag, ...] | None:
    text = headers.find(name)
    if text is None:
        return None
    found = _parse_etags(text)
    if not found:
        raise JsException("Error", f"Invalid ETag in {name} header")
    return found


def _parse_etags(text: str) -> tuple[R2Etag, ...]:
    """Parse a list of entity tags as leniently, and as strictly, as the platform does."""
    found: list[R2Etag] = []
    needs_comma = False
    while '"' in text or "*" in text:
        places = {mark: text.find(mark) % (len(text) + 1) for mark in ',*"W'}
        if places[","] < min(places["*"], places['"'], places["W"]):
            text, needs_comma = text[places[","] + 1 :], False
            continue
        if needs_comma:
            raise JsException("Error", "Comma was expected to separate etags. " + _no_comma(places))
        if places["*"] < places['"']:
            return (R2Etag(None),)
        start = places['"'] + 1
        end = text.find('"', start)
        if end < 0:
            raise JsException("Error", "Unclosed double quote for Etag")
        is_weak = places["W"] < places['"']
        if is_weak and (text[places["W"] + 1] != "/" or places["W"] + 2 != places['"']):
            raise JsException("Error", "Weak etags must start with W/ and their value must be quoted")
        found.append(R2Etag(text[start:end], is_weak))
        text, needs_comma = text[end + 1 :], True
    return tuple(found)


def _no_comma(places: dict[str, int]) -> str:
    if places["*"] < min(places['"'], places["W"]):
        return "Encountered a wildcard character '*' instead."
    if places['"'] < places["W"]:
        return (
            "Encountered a double quote character '\"' instead. "
            "This would otherwise indicate the start of a new strong etag."
        )
    return (
        "Encountered a weak quotation character 'W' instead. "
        "This would otherwise indicate the start of a new weak etag."
    )
