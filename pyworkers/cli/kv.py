"""``pyworkers kv``: the keys and values of a namespace, with wrangler's verbs and flags.

Values are written through the binding that workers use, so that its limits and its texts are the platform's.

Source: wrangler 4.164 `wrangler kv --help` and packages/wrangler/src/kv, checked 2026-11-23
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyworkers.cli import kv_bulk
from pyworkers.cli.commands import Group
from pyworkers.cli.kv_namespace import Namespace, namespace_options, namespaces, parse_metadata
from pyworkers.cli.output import print_json
from pyworkers.cli.place import Place, place_options, platform_errors
from pyworkers.errors import PyworkersError, UsageError

if TYPE_CHECKING:
    from pyworkers.engines.kv import KVEntry, KVKey
    from pyworkers.runtime.stores import Stores

_LISTED_AT_ONCE = 1_000


@click.group(cls=Group)
def kv() -> None:
    """Keys and values of KV namespaces."""


@kv.group()
def key() -> None:
    """Write, read, list and delete single keys."""


@key.command(
    examples=(
        "pyworkers kv key put greeting hello --binding KV",
        'pyworkers kv key put logo --path logo.png --binding KV --metadata \'{"type": "image/png"}\'',
        "pyworkers kv key put session 42 --namespace-id 0f2ac74b --ttl 3600",
    )
)
@click.argument("key")
@click.argument("value", required=False)
@click.option("--path", type=click.Path(path_type=Path), metavar="FILE", help="Take the value from a file.")
@click.option("--ttl", type=int, metavar="SECONDS", help="Expire after so long, 60 at least.")
@click.option("--expiration", type=int, metavar="TIME", help="Expire then, in seconds since the Unix epoch.")
@click.option("--metadata", metavar="JSON", help="A JSON object to keep with the value.")
@place_options
@namespace_options(is_writing=True)
def put(
    *,
    place: Place,
    namespace: Namespace,
    key: str,
    value: str | None,
    path: Path | None,
    ttl: int | None,
    expiration: int | None,
    metadata: str | None,
) -> None:
    """Write a value."""
    if (value is None) == (path is None):
        raise UsageError(
            "a value and --path are two ways to say one thing" if path else "there is no value to write",
            hint="pass VALUE or --path FILE",
        )
    fields = None if metadata is None else parse_metadata(metadata)
    data = value.encode("utf-8", "surrogateescape") if value is not None else _read(place.folder / str(path))
    shown = (
        "" if fields is None else f' with metadata "{json.dumps(fields, ensure_ascii=False, separators=(",", ":"))}"'
    )
    what = f'the value "{value}" to key' if path is None else f"the contents of {path} to the key"
    click.echo(f'Writing {what} "{key}" on namespace {namespace.title}{shown}.')

    async def write(stores: Stores) -> None:
        with platform_errors():
            await namespace.put(stores, key, data, ttl_s=ttl, expires_at_s=expiration, metadata=metadata)

    place.run(write)


@key.command(
    examples=(
        "pyworkers kv key get greeting --binding KV",
        "pyworkers kv key get logo --binding KV > logo.png",
    )
)
@click.argument("key")
@click.option("--text", is_flag=True, help="Print the value as text, with a line break after it.")
@place_options
@namespace_options(is_writing=False)
def get(*, place: Place, namespace: Namespace, key: str, text: bool) -> None:
    """Read a value: its bytes as they are. Exits with 1 where there is none."""

    async def read(stores: Stores) -> KVEntry | None:
        if namespace.is_new(stores):
            return None
        found: KVEntry | None = await namespace.engine(stores).get(key)
        return found

    entry = place.run(read)
    if entry is None:
        raise PyworkersError(
            f'Value not found: there is no key "{key}" on namespace {namespace.title}',
            hint=f"pyworkers kv key list {namespace.option} lists the keys",
        )
    if text:
        click.echo(entry.value.decode("utf-8", "replace"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(entry.value)
    sys.stdout.buffer.flush()


@key.command("list", examples=("pyworkers kv key list --binding KV --prefix user:",))
@click.option("--prefix", metavar="TEXT", default="", help="Only keys that start with it.")
@click.option("--json", "as_json", is_flag=True, hidden=True, help="It always is.")
@place_options
@namespace_options(is_writing=False)
def list_(*, place: Place, namespace: Namespace, prefix: str, as_json: bool) -> None:  # noqa: ARG001
    """List the keys, their expirations and metadata, as JSON."""

    async def read(stores: Stores) -> list[KVKey]:
        if namespace.is_new(stores):
            return []
        engine, keys, after = namespace.engine(stores), [], None
        while True:
            page = await engine.list_keys(prefix=prefix, after=after, limit=_LISTED_AT_ONCE)
            keys += page.keys
            if page.is_complete:
                return keys
            after = page.keys[-1].name

    print_json([_listed(found) for found in place.run(read)])


@key.command(examples=("pyworkers kv key delete greeting --binding KV",))
@click.argument("key")
@place_options
@namespace_options(is_writing=True)
def delete(*, place: Place, namespace: Namespace, key: str) -> None:
    """Delete a key, which need not be there."""
    click.echo(f'Deleting the key "{key}" on namespace {namespace.title}.')

    async def remove(stores: Stores) -> None:
        with platform_errors():
            await namespace.delete(stores, key)

    place.run(remove)


@kv.group()
def namespace() -> None:
    """The namespaces there are."""


@namespace.command("list", examples=("pyworkers kv namespace list",))
@click.option("--json", "as_json", is_flag=True, hidden=True, help="It always is.")
@place_options
def list_namespaces(*, place: Place, as_json: bool) -> None:  # noqa: ARG001
    """List the namespaces of the project, and those that only have data, as JSON."""
    print_json(namespaces(place))


kv.add_command(kv_bulk.bulk)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="check --path") from error


def _listed(found: KVKey) -> dict[str, object]:
    listed: dict[str, object] = {"name": found.name}
    if found.expires_at_s is not None:
        listed["expiration"] = found.expires_at_s
    if found.metadata is not None:
        listed["metadata"] = json.loads(found.metadata)
    return listed
