"""The names under which a worker finds its bindings, and what is wrong with them.

Source: wrangler 4.164.0, `validateBindingsHaveUniqueNames`
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyworkers.config.jsonc import KeyPath
from pyworkers.config.keys import ABSENT, FRIENDLY_NAMES
from pyworkers.config.model import OtherBinding
from pyworkers.config.source import Source
from pyworkers.config.tables import R2Bucket

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def binding_names(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, for each key of a file that makes bindings, their names in the order of the file."""
    return {kind: [name for name, _ in _bindings(kind, value)] for kind, value in values.items()}


def other_bindings(values: Mapping[str, Any]) -> tuple[OtherBinding, ...]:
    """Return the bindings that have no local simulator."""
    return tuple(
        OtherBinding(kind, name, key.note or "")
        for kind, key in ABSENT.items()
        for name, _ in _bindings(kind, values.get(kind))
    )


def check_bindings(source: Source, names: Mapping[str, list[str]], places: Mapping[str, KeyPath]) -> None:
    """Check that every binding has a name of its own that is an identifier.

    Args:
        names: what `binding_names` returned.
        places: for each key, the path of the table it stands in.

    Raises:
        ConfigError: at the first wrong binding, in wrangler's words.
    """
    owners: dict[str, list[str]] = {}
    for kind, friendly in [*FRIENDLY_NAMES.items(), ("secrets", "Secret")]:
        for index, name in enumerate(names.get(kind, ())):
            key = (*places[kind], kind, *_within(kind, index, name))
            if kind not in ("vars", "secrets") and not _IDENTIFIER.fullmatch(name):
                raise source.error(
                    f'The {friendly} binding "{name}" is not a valid identifier.',
                    key,
                    hint="Use letters, digits and _ only, and no digit first.",
                )
            owners.setdefault(name, []).append(friendly)
            if len(owners[name]) > 1:
                raise source.error(
                    f"{_clash(name, owners[name])}\n"
                    "Bindings must have unique names, so that they can all be referenced in the worker.",
                    key,
                    hint="Please change your bindings to have unique names.",
                )


def bucket_warnings(buckets: Sequence[R2Bucket]) -> Iterator[str]:
    """Yield a line for every R2 bucket that cannot have its name on Cloudflare; here it can.

    Source: wrangler 4.164.0, `validateR2Binding`, which refuses it
    """
    for index, bucket in enumerate(buckets):
        for key in ("bucket_name", "preview_bucket_name"):
            name = getattr(bucket, key)
            if name is not None and not _BUCKET_NAME.fullmatch(name):
                yield (
                    f"r2_buckets[{index}].{key}={json.dumps(name, ensure_ascii=False)} cannot be deployed. "
                    "Bucket names must begin and end with an alphanumeric character, only contain lowercase letters, "
                    "numbers, and hyphens, and be between 3 and 63 characters long."
                )


def _bindings(kind: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of each binding a key makes."""
    if value is None:
        return
    if kind == "vars":
        yield from value.items()
    elif kind == "secrets":
        yield from ((name, None) for name in value.required)
    elif kind in ("durable_objects", "queues"):
        items = value.bindings if kind == "durable_objects" else value.producers
        yield from ((item.name if kind == "durable_objects" else item.binding, item) for item in items)
    elif kind in FRIENDLY_NAMES:
        for item in value if isinstance(value, tuple) else (value,):
            name = _name_of(item)
            if name is not None:
                yield name, item


def _name_of(item: Any) -> str | None:
    """Return the name of a table of bindings; some kinds call it ``name``."""
    if isinstance(item, Mapping):
        return item.get("binding")
    return getattr(item, "binding", None) or getattr(item, "name", None)


def _within(kind: str, index: int, name: str) -> KeyPath:
    match kind:
        case "vars":
            return (name,)
        case "secrets":
            return ("required", index)
        case "durable_objects":
            return ("bindings", index)
        case "queues":
            return ("producers", index)
    return (index,)


def _clash(name: str, kinds: list[str]) -> str:
    first, last = kinds[0], kinds[-1]
    if first == last:
        return f"{name} assigned to multiple {last} bindings."
    return f"{name} assigned to {first} and {last} bindings."
