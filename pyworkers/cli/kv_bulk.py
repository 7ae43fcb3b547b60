"""``pyworkers kv bulk``: many keys at once, from a JSON file."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pyworkers.cli.commands import Group
from pyworkers.cli.kv_namespace import Namespace, namespace_options, parse_metadata
from pyworkers.cli.output import confirm, print_json, progress, warn
from pyworkers.cli.place import Place, place_options, platform_errors
from pyworkers.errors import PyworkersError, UsageError

if TYPE_CHECKING:
    from pyworkers.runtime.stores import Stores

_SHAPE: Final = """Each item in the array should be an object that matches:

interface KeyValue {
  key: string;
  value: string;
  expiration?: number;
  expiration_ttl?: number;
  metadata?: object;
  base64?: boolean;
}
"""
_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "key": (str,),
    "value": (str,),
    "expiration": (int, float),
    "expiration_ttl": (int, float),
    "metadata": (dict,),
    "base64": (bool,),
}
_SHOWN: Final = 12  # mistakes, before three dots
_READ_AT_ONCE: Final = 1_000


@click.group(cls=Group)
def bulk() -> None:
    """Write, read and delete the keys of a file."""


@bulk.command(examples=("pyworkers kv bulk put users.json --binding KV",))
@click.argument("filename", type=click.Path(path_type=Path))
@click.option("--ttl", type=int, metavar="SECONDS", help="For items without an expiration: expire after so long.")
@click.option("--expiration", type=int, metavar="TIME", help="For items without an expiration: expire then.")
@click.option("--metadata", metavar="JSON", help="For items without metadata: a JSON object.")
@place_options
@namespace_options(is_writing=True)
def put(
    *,
    place: Place,
    namespace: Namespace,
    filename: Path,
    ttl: int | None,
    expiration: int | None,
    metadata: str | None,
) -> None:
    """Write what a file holds.

    It is a JSON array of objects with key and value, and optionally expiration, expiration_ttl, metadata and base64.
    """
    items = _items(place, filename)
    _check_shape(items, filename)
    values = [_value(item, index, filename) for index, item in enumerate(items)]
    if metadata is not None:
        parse_metadata(metadata)

    async def write(stores: Stores) -> None:
        with progress("Writing", len(items)) as advance:
            for index, item in enumerate(items):
                with _errors_at(index, item["key"]):
                    is_timed = "expiration" in item or "expiration_ttl" in item
                    await namespace.put(
                        stores,
                        item["key"],
                        values[index],
                        ttl_s=item.get("expiration_ttl") if is_timed else ttl,
                        expires_at_s=item.get("expiration") if is_timed else expiration,
                        metadata=_compact(item["metadata"]) if "metadata" in item else metadata,
                    )
                advance(1)

    place.run(write)
    click.echo("Success!")


@bulk.command(examples=("pyworkers kv bulk get keys.json --binding KV",))
@click.argument("filename", type=click.Path(path_type=Path))
@place_options
@namespace_options(is_writing=False)
def get(*, place: Place, namespace: Namespace, filename: Path) -> None:
    """Print the values of the keys of a file, as JSON.

    The file is a JSON array of keys, or of what `kv key list` prints.
    """
    keys = _keys(_items(place, filename), filename)

    async def read(stores: Stores) -> dict[str, object]:
        if namespace.is_new(stores):
            return {name: {"value": None} for name in keys}
        engine = namespace.engine(stores)
        values: dict[str, object] = {}
        for start in range(0, len(keys), _READ_AT_ONCE):
            some = keys[start : start + _READ_AT_ONCE]
            for name, entry in zip(some, await engine.get_many(some), strict=True):
                values[name] = {"value": None if entry is None else entry.value.decode("utf-8", "replace")}
        return values

    print_json(place.run(read))


@bulk.command(examples=("pyworkers kv bulk delete keys.json --binding KV --force",))
@click.argument("filename", type=click.Path(path_type=Path))
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@place_options
@namespace_options(is_writing=True)
def delete(*, place: Place, namespace: Namespace, filename: Path, force: bool) -> None:
    """Delete the keys of a file.

    The file is a JSON array of keys, or of what `kv key list` prints.
    """
    question = f'Are you sure you want to delete all the keys read from "{filename}" from kv-namespace'
    if not confirm(f"{question} {namespace.title}?", is_sure=force):
        click.echo(f'Not deleting keys read from "{filename}".')
        return
    keys = _keys(_items(place, filename), filename)

    async def remove(stores: Stores) -> None:
        with progress("Deleting", len(keys)) as advance:
            for index, name in enumerate(keys):
                with _errors_at(index, name):
                    await namespace.delete(stores, name)
                advance(1)

    place.run(remove)
    click.echo("Success!")


@contextmanager
def _errors_at(index: int, key: str) -> Iterator[None]:
    """Say of an error at which item it was, and what of the file was done before."""
    try:
        with platform_errors():
            yield
    except PyworkersError as error:
        raise PyworkersError(
            f'the item at index {index}, key "{key}": {error.message}',
            hint=error.hint or f"the {index} before it are done; mend it and run this again",
        ) from error


def _items(place: Place, filename: Path) -> list[Any]:
    path = place.folder / filename
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="check the file's name") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}", hint="mend the file") from error
    if not isinstance(content, list):
        raise UsageError(
            f'Unexpected JSON input from "{filename}": an array was expected, not {_type(content)}',
            hint="put [ ] around it",
        )
    return content


def _keys(items: Sequence[Any], filename: Path) -> list[str]:
    names: list[Any] = [item.get("name") if isinstance(item, dict) else item for item in items]
    wrong = [
        f'The item at index {index} is type: "{_type(items[index])}" - {_compact(items[index])}'
        for index, name in enumerate(names)
        if not isinstance(name, str)
    ]
    if wrong:
        raise UsageError(
            f'Unexpected JSON input from "{filename}".\n'
            'Expected an array of strings or objects with a "name" key.\n' + _some(wrong)
        )
    return names


def _check_shape(items: Sequence[Any], filename: Path) -> None:
    wrong = [
        f"The item at index {index} is {_compact(item)}" for index, item in enumerate(items) if not _is_key_value(item)
    ]
    if wrong:
        raise UsageError(f'Unexpected JSON input from "{filename}".\n{_SHAPE}\n' + _some(wrong))
    odd = list(_unknown_fields(items))
    if odd:
        warn(f'Unexpected key-value properties in "{filename}".\n' + _some(odd))


def _is_key_value(item: Any) -> bool:
    if not isinstance(item, dict) or "key" not in item or "value" not in item:
        return False
    return all(
        isinstance(item[name], kinds) and (bool in kinds or not isinstance(item[name], bool))
        for name, kinds in _FIELDS.items()
        if name in item
    )


def _unknown_fields(items: Sequence[dict[str, Any]]) -> Iterator[str]:
    for index, item in enumerate(items):
        names = [name for name in item if name not in _FIELDS]
        if names:
            yield f"The item at index {index} contains unexpected properties: {_compact(names)}."


def _value(item: dict[str, Any], index: int, filename: Path) -> bytes:
    text: str = item["value"]
    if not item.get("base64"):
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise UsageError(
            f'the value at index {index} of "{filename}" is not base64: {error}', hint='mend it, or leave "base64" out'
        ) from error


def _some(lines: Sequence[str]) -> str:
    return "\n".join([*lines[:_SHOWN], *(["..."] if len(lines) > _SHOWN else [])])


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _type(value: object) -> str:
    names = {str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "object")
