"""``pyworkers r2``: objects in buckets, with wrangler's verbs and flags, and a listing.

Source: wrangler 4.164 `wrangler r2 --help` and packages/wrangler/src/r2, checked 2026-11-23
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import click

from pyworkers.cli.commands import Group
from pyworkers.cli.output import note, print_json, print_table, progress
from pyworkers.cli.place import Place, place_options, platform_errors
from pyworkers.cli.r2_bucket import ObjectPath, buckets, check_bucket, complete_bucket, http_attributes, split_path
from pyworkers.engines.files import whole_file
from pyworkers.errors import PyworkersError, UsageError

if TYPE_CHECKING:
    from pyworkers.engines.r2 import R2Engine, R2Object
    from pyworkers.runtime.stores import Stores

Function = TypeVar("Function", bound=Callable[..., Any])

PIECE_BYTES: Final = 1024 * 1024
_LISTED_AT_ONCE: Final = 1_000


@click.group(cls=Group)
def r2() -> None:
    """Objects in R2 buckets."""


@r2.group("object")
def object_() -> None:
    """Write, read, list and delete objects."""


def _http_options(function: Function) -> Function:
    for option in (
        click.option("--expires", metavar="DATE", help="When caches drop it: an HTTP date, or ISO 8601."),
        click.option("--cache-control", "--cc", metavar="TEXT", help="The Cache-Control header."),
        click.option("--content-language", "--cl", metavar="TEXT", help="The Content-Language header."),
        click.option("--content-encoding", "--ce", metavar="TEXT", help="The Content-Encoding header."),
        click.option("--content-disposition", "--cd", metavar="TEXT", help="The Content-Disposition header."),
        click.option("--content-type", "--ct", metavar="TYPE", help="The Content-Type header."),
    ):
        function = option(function)
    return function


@object_.command(
    examples=(
        "pyworkers r2 object put my-bucket/reports/may.pdf --file may.pdf --content-type application/pdf",
        "tar cz photos | pyworkers r2 object put my-bucket/photos.tar.gz --pipe",
    )
)
@click.argument("path", metavar="BUCKET/KEY", shell_complete=complete_bucket)
@click.option("-f", "--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="The file to store.")
@click.option("-p", "--pipe", is_flag=True, help="Store what comes on standard input.")
@_http_options
@click.option("-s", "--storage-class", metavar="CLASS", help="Standard or InfrequentAccess.")
@click.option("-J", "--jurisdiction", hidden=True)
@click.option("-y", "--force", is_flag=True, help="Accepted; nothing is asked.")
@place_options
def put(
    *,
    place: Place,
    path: str,
    file: Path | None,
    pipe: bool,
    storage_class: str | None,
    jurisdiction: str | None,  # noqa: ARG001  # everything is on this machine
    force: bool,  # noqa: ARG001
    **http: str | None,
) -> None:
    """Store an object, of any size at flat memory."""
    where = split_path(path)
    if (file is None) == (not pipe):
        raise UsageError(
            "--file and --pipe exclude each other" if pipe else "there is nothing to store",
            hint="pass --file FILE or --pipe",
        )
    attributes = http_attributes(http, storage_class)
    check_bucket(place, where.bucket, is_writing=True)
    with _source(place, file) as (body, size):
        click.echo(f'Creating object "{where.key}" in bucket "{where.bucket}".')

        async def write(stores: Stores) -> None:
            with platform_errors(), progress("Storing", size, unit="bytes") as advance:
                where.check("put")
                await where.engine(stores).put(where.key, _pieces(body, advance), attributes=attributes)

        place.run(write)
    click.echo("Upload complete.")


@object_.command(
    examples=(
        "pyworkers r2 object get my-bucket/reports/may.pdf --file may.pdf",
        "pyworkers r2 object get my-bucket/photos.tar.gz --pipe | tar tz",
    )
)
@click.argument("path", metavar="BUCKET/KEY", shell_complete=complete_bucket)
@click.option("-f", "--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="The file to write. [KEY]")
@click.option("-p", "--pipe", is_flag=True, help="Write to standard output.")
@click.option("-J", "--jurisdiction", hidden=True)
@place_options
def get(*, place: Place, path: str, file: Path | None, pipe: bool, jurisdiction: str | None) -> None:  # noqa: ARG001
    """Fetch an object into a file, which appears when it is whole."""
    where = split_path(path)
    if file is not None and pipe:
        raise UsageError("--file and --pipe exclude each other", hint="pass one of the two")
    check_bucket(place, where.bucket, is_writing=False)
    if pipe:
        sys.stdout.flush()
        place.run(lambda stores: _fetch(stores, where, sys.stdout.buffer))
        sys.stdout.buffer.flush()
        return
    target = _target(place, where, file)
    click.echo(f'Downloading "{where.key}" from "{where.bucket}".')
    try:
        with whole_file(target) as part:
            place.run(lambda stores: _fetch(stores, where, part))
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", hint="pass another --file") from error
    click.echo("Download complete.")


@object_.command(examples=("pyworkers r2 object delete my-bucket/reports/may.pdf",))
@click.argument("path", metavar="BUCKET/KEY", shell_complete=complete_bucket)
@click.option("-J", "--jurisdiction", hidden=True)
@click.option("-y", "--force", is_flag=True, help="Accepted; nothing is asked.")
@place_options
def delete(*, place: Place, path: str, jurisdiction: str | None, force: bool) -> None:  # noqa: ARG001
    """Delete an object, which need not be there."""
    where = split_path(path)
    check_bucket(place, where.bucket, is_writing=False)
    click.echo(f'Deleting object "{where.key}" from bucket "{where.bucket}".')

    async def remove(stores: Stores) -> None:
        with platform_errors():
            where.check("delete")
        await where.engine(stores).delete([where.key])

    place.run(remove)
    click.echo("Delete complete.")


@object_.command(
    "list",
    examples=(
        "pyworkers r2 object list my-bucket --prefix reports/ --delimiter /",
        "pyworkers r2 object list my-bucket --json",
    ),
)
@click.argument("bucket", shell_complete=complete_bucket)
@click.option("--prefix", default="", metavar="TEXT", help="Only keys that start with it.")
@click.option("--delimiter", default="", metavar="TEXT", help="Show keys that hold it once, up to it, as folders.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@place_options
def list_(*, place: Place, bucket: str, prefix: str, delimiter: str, limit: int | None, as_json: bool) -> None:
    """List the objects of a BUCKET, in the order of their keys."""
    name, _, rest = bucket.partition("/")  # a path is what the other commands take
    check_bucket(place, name, is_writing=False)
    objects, prefixes = place.run(
        lambda stores: _list(ObjectPath(name, "").engine(stores), prefix or rest, delimiter, limit)
    )
    if as_json:
        print_json({"objects": [_listed(found) for found in objects], "delimitedPrefixes": prefixes})
        return
    rows = [{"key": prefix, "size": "", "uploaded": ""} for prefix in prefixes]
    rows += [
        {"key": found.key, "size": f"{found.size:,}", "uploaded": _date(found.uploaded_ms)[:19]} for found in objects
    ]
    if rows:
        print_table(rows)
    else:
        note(f'There are no such objects in bucket "{name}".')


@r2.group("bucket")
def bucket_() -> None:
    """The buckets there are."""


@bucket_.command("list", examples=("pyworkers r2 bucket list --json",))
@click.option("-J", "--jurisdiction", hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@place_options
def list_buckets(*, place: Place, jurisdiction: str | None, as_json: bool) -> None:  # noqa: ARG001
    """List the buckets of the project, and those that only have data."""
    found = buckets(place)
    if as_json:
        print_json(found)
        return
    note("Listing buckets...")
    for row in found:
        click.echo("\n".join(f"{name + ':':<15} {value or ''}".rstrip() for name, value in row.items()) + "\n")


@contextmanager
def _source(place: Place, file: Path | None) -> Any:
    """Open what is stored: a file of a known size, or standard input."""
    if file is None:
        yield sys.stdin.buffer, None
        return
    path = place.folder / file
    try:
        opened = path.open("rb")
    except OSError as error:
        raise UsageError(f'The file "{file}" cannot be read: {error.strerror}', hint="check --file") from error
    with opened:
        yield opened, path.stat().st_size


async def _pieces(file: BinaryIO, advance: Callable[[int], None]) -> AsyncIterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece
        advance(len(piece))


async def _fetch(stores: Stores, where: ObjectPath, target: BinaryIO | Path) -> None:
    """Write an object's body to a file, made once it is known that there is one."""
    reading = await where.engine(stores).get(where.key)
    if reading is None:
        raise PyworkersError(
            "The specified key does not exist.", hint=f"pyworkers r2 object list {where.bucket} lists the keys"
        )
    size = reading.object.size
    try:
        if isinstance(target, Path):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                await _copy(reading.chunks(0, size), file, size)
        else:
            await _copy(reading.chunks(0, size), target, size)
    finally:
        reading.close()


async def _copy(pieces: AsyncIterator[bytes], file: BinaryIO, size: int) -> None:
    with progress("Fetching", size, unit="bytes") as advance:
        async for piece in pieces:
            file.write(piece)
            advance(len(piece))


async def _list(engine: R2Engine, prefix: str, delimiter: str, limit: int | None) -> tuple[list[R2Object], list[str]]:
    objects: list[R2Object] = []
    prefixes: list[str] = []
    after: str | None = None
    while limit is None or len(objects) + len(prefixes) < limit:
        left = _LISTED_AT_ONCE if limit is None else limit - len(objects) - len(prefixes)
        page = await engine.list_objects(
            prefix=prefix, delimiter=delimiter, after=after, limit=min(left, _LISTED_AT_ONCE)
        )
        objects += page.objects
        prefixes += page.prefixes
        after = page.next_after
        if after is None:
            break
    return objects, prefixes


def _target(place: Place, where: ObjectPath, file: Path | None) -> Path:
    """Return the file to write: a key must not lead out of the folder by itself."""
    target = (place.folder / (file or where.key)).resolve()
    if file is None and (not target.is_relative_to(place.folder.resolve()) or where.key.endswith("/")):
        raise UsageError(f'the key "{where.key}" is no name for a file here', hint="pass --file FILE")
    if target.is_dir():
        raise UsageError(f"{target} is a folder", hint="pass --file FILE")
    return target


def _listed(found: R2Object) -> dict[str, object]:
    attributes = found.attributes
    http: dict[str, object] = dict(attributes.http)
    if attributes.cache_expires_ms is not None:
        http["cache_expiry"] = _date(attributes.cache_expires_ms)
    return {
        "key": found.key,
        "size": found.size,
        "etag": found.etag,
        "version": found.version,
        "uploaded": _date(found.uploaded_ms),
        "http_metadata": http,
        "custom_metadata": dict(attributes.custom),
        "storage_class": attributes.storage_class or "Standard",
    }


def _date(time_ms: int) -> str:
    text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
