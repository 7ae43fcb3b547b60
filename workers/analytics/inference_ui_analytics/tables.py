"""Answers as tables, for CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

# The list in an answer that its table is about; an answer without one is a table of one row.
_LISTS: Final[Mapping[str, str]] = {
    "events": "eventsByType",
    "sessions": "sessionsByHour",
    "flow": "dropoffPoints",
    "component": "topEvents",
    "trend": "data",
    "funnel": "steps",
    "cohort": "periods",
}
# A cell that begins so is a formula to some spreadsheet; text that clients sent must not become one.
# Source: owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")


def to_csv(name: str, answer: Any) -> str:
    """Return an answer as CSV (RFC 4180), with a header.

    An answer that holds a list is one row an item of it, with the answer's own figures in front, the same on each.
    """
    rows = [_flat(item) for item in _items(name, answer)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def _items(name: str, answer: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(answer, list):
        return answer
    inner = _LISTS.get(name)
    if inner is None:
        return [answer]
    common = {key: value for key, value in answer.items() if not isinstance(value, list)}
    return [{**common, **item} for item in answer[inner]] or [common]


def _flat(item: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return an object's members, those of objects in it as `outer.inner`."""
    row: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, Mapping):
            row.update(_flat(value, f"{prefix}{name}."))
        else:
            row[prefix + name] = value
    return row


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
