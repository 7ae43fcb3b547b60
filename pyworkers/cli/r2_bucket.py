"""Which R2 bucket and object a command means, and what is said about an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

import click

from pyworkers.cli.output import warn
from pyworkers.cli.place import Place, completes, not_found
from pyworkers.errors import UsageError
from pyworkers.runtime.stores import resource_name

if TYPE_CHECKING:
    from pyworkers.engines.r2 import R2Attributes, R2Engine
    from pyworkers.runtime.stores import Stores


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """A bucket's name and a key in it."""

    bucket: str
    key: str

    def engine(self, stores: Stores) -> R2Engine:
        """Return what holds the bucket."""
        engine: R2Engine = stores.engine("r2", self.bucket)
        return engine

    def check(self, action: str) -> None:
        """Check the key as the platform does.

        Raises:
            JsException: the platform's own.
        """
        from pyworkers.bindings.r2.options import check_key

        check_key(action, self.key)


def complete_bucket(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete a bucket's name in the shell."""
    return completes(lambda worker: [config.bucket_name for config in worker.r2_buckets])(ctx, param, incomplete)


def split_path(path: str) -> ObjectPath:
    """Return bucket and key of ``BUCKET/KEY``.

    Raises:
        UsageError: it is something else.
    """
    bucket, _, key = path.partition("/")
    if not bucket or not key:
        raise UsageError(
            f"The object path must be in the form of {{bucket}}/{{key}} you provided {path}",
            hint="write it as my-bucket/my-key",
        )
    return ObjectPath(bucket, key)


def buckets(place: Place) -> list[dict[str, str | None]]:
    """Return name and binding of every bucket that is configured or has data."""
    found: dict[str, dict[str, str | None]] = {}
    for worker in place.project.workers:
        for config in worker.r2_buckets:
            name = resource_name("r2", config)
            found.setdefault(name, {"name": name, "creation_date": _made(place, name), "binding": config.binding})
    for folder in sorted((place.state_dir / "r2").glob("*/objects.sqlite")):
        name = unquote(folder.parent.name)
        found.setdefault(name, {"name": name, "creation_date": _made(place, name), "binding": None})
    return list(found.values())


def check_bucket(place: Place, name: str, *, is_writing: bool) -> None:
    """Warn of, or refuse, a bucket that nobody binds.

    Raises:
        UsageError: there is nothing to be read.
    """
    known = [str(row["name"]) for row in buckets(place)]
    if name in known:
        return
    if not is_writing:
        raise not_found("R2 bucket", name, place.project, known, key="r2_buckets")
    if place.project.workers:
        warn(f'no worker binds the bucket "{name}"', f"there are {', '.join(known)}" if known else None)


def http_attributes(http: Mapping[str, str | None], storage_class: str | None) -> R2Attributes:
    """Return an object's attributes.

    Args:
        http: `R2Attributes.http`'s names, and ``expires``.

    Raises:
        UsageError: ``expires`` is no date.
    """
    from pyworkers.engines.r2 import R2Attributes

    given = {name: value for name, value in http.items() if value is not None and name != "expires"}
    expires = http.get("expires")
    return R2Attributes(
        http=given, cache_expires_ms=None if expires is None else _time_ms(expires), storage_class=storage_class
    )


def _time_ms(text: str) -> int:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            time = parse(text)
        except ValueError:
            continue
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    raise UsageError(
        f'--expires "{text}" is no date', hint='write it as "Wed, 21 Oct 2026 07:28:00 GMT" or 2026-10-21T07:28:00Z'
    )


def _made(place: Place, name: str) -> str | None:
    """Return when the bucket's folder was made, as near as the file system tells."""
    from pyworkers.engines.sqlite import file_name

    lock = place.state_dir / "r2" / file_name(name) / "lock"
    if not lock.exists():
        return None
    made = datetime.fromtimestamp(lock.stat().st_mtime, UTC)
    return made.isoformat(timespec="milliseconds").replace("+00:00", "Z")
