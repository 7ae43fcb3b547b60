"""Local time is UTC while workers run, as on the platform; the SDK turns a JavaScript Date into naive local time.

Source: recorded, contracts/python, python.ffi.convert
"""

from __future__ import annotations

import os
import time

_holders: list[UtcLocalTime] = []
_before: list[str | None] = []


class UtcLocalTime:
    """Sets the process's time zone from `enter` to `leave`; the first holder sets it, the last one puts it back."""

    def enter(self) -> None:
        """Make local time UTC."""
        if not _holders:
            _before.append(os.environ.get("TZ"))
            _set("UTC")
        _holders.append(self)

    def leave(self) -> None:
        """Put the time zone back; does nothing the second time."""
        if self not in _holders:
            return
        _holders.remove(self)
        if not _holders:
            _set(_before.pop())


def _set(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    if hasattr(time, "tzset"):  # not on Windows
        time.tzset()
