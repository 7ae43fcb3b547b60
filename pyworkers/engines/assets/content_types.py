"""Which content type a file has, by its name.

Source: recorded, contracts/assets, assets.types.*; workers-sdk packages/workers-shared/utils/helpers.ts
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def content_type(name: str) -> str | None:
    """Return the Content-Type of a file's name; None where its extension says nothing, or it has none."""
    stem, dot, extension = name.rpartition(".")
    found = _types().get(extension.lower()) if dot and stem else None
    return f"{found}; charset=utf-8" if found is not None and found.startswith("text/") else found


@cache
def _types() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in files(__package__).joinpath("mime.types").read_text().splitlines():
        if not line.startswith("#"):
            kind, *extensions = line.split()
            table.update(dict.fromkeys(extensions, kind))
    return table
