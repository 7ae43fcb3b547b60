"""``pyworkers queues``: the queues of the project, beside a running server too."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import click

from pyworkers.cli.commands import Group
from pyworkers.cli.output import confirm, print_table
from pyworkers.cli.place import Place, place_options
from pyworkers.clock import SystemClock
from pyworkers.engines.queues import NewMessage
from pyworkers.errors import UsageError

if TYPE_CHECKING:
    from pyworkers.config.model import Project
    from pyworkers.runtime.stores import Stores

MAX_DELAY_S = 86_400


@click.group(cls=Group)
def queues() -> None:
    """Queues: list them, send to one, empty one."""


@queues.command("list", examples=("pyworkers queues list",))
@place_options
def list_(*, place: Place) -> None:
    """Show every queue with its producers, its consumer and what waits in it."""
    names = _names(place.project)
    if not names:
        click.echo("There are no queues.")
        return

    async def count(stores: Stores) -> list[int]:
        return [(await stores.engine("queues", name).backlog()).count for name in names]

    counts = place.run(count)
    print_table([_row(place.project, name, waiting) for name, waiting in zip(names, counts, strict=True)])


@queues.command(
    examples=(
        """pyworkers queues send jobs '{"id": 7}'""",
        "pyworkers queues send jobs hello --content-type text --delay-secs 60",
    )
)
@click.argument("queue")
@click.argument("body")
@click.option("--content-type", type=click.Choice(("json", "text", "bytes")), default="json", show_default=True)
@click.option("--delay-secs", type=click.IntRange(0, MAX_DELAY_S), default=0, metavar="SECONDS", help="Hold it back.")
@place_options
def send(*, place: Place, queue: str, body: str, content_type: str, delay_secs: int) -> None:
    """Send a message; a running server delivers it within a second."""
    _check(place.project, queue)
    if content_type == "json":
        try:
            body = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
        except ValueError:
            raise UsageError(f"{body} is no JSON", hint="write it as JSON, or pass --content-type text") from None
    now_ms = SystemClock().now_ms()
    data = body.encode("utf-8", "surrogateescape")
    message = NewMessage(secrets.token_hex(16), data, content_type, now_ms, now_ms + 1000 * delay_secs)

    async def keep(stores: Stores) -> None:
        await stores.engine("queues", queue).send([message])

    place.run(keep)
    click.echo(f"Sent message {message.id} to the queue {queue}.")


@queues.command(examples=("pyworkers queues purge jobs",))
@click.argument("queue")
@click.option("-y", "--force", is_flag=True, help="Do not ask.")
@place_options
def purge(*, place: Place, queue: str, force: bool) -> None:
    """Forget every message of a queue."""
    _check(place.project, queue)
    if not confirm(f"Forget every message of the queue {queue}?", is_sure=force):
        return

    async def forget(stores: Stores) -> int:
        count: int = await stores.engine("queues", queue).purge()
        return count

    count = place.run(forget)
    click.echo(f"Forgot {count} message{'' if count == 1 else 's'} of the queue {queue}.")


def _names(project: Project) -> list[str]:
    names: dict[str, None] = {}
    for config in project.workers:
        names.update(dict.fromkeys(producer.queue for producer in config.queues.producers))
        for consumer in config.queues.consumers:
            names[consumer.queue] = None
            if consumer.dead_letter_queue is not None:
                names[consumer.dead_letter_queue] = None
    return list(names)


def _row(project: Project, name: str, waiting: int) -> dict[str, Any]:
    producers = [
        f"{config.name}.{producer.binding}"
        for config in project.workers
        for producer in config.queues.producers
        if producer.queue == name
    ]
    consumers = [
        config.name if consumer.type == "worker" else "HTTP pull"
        for config in project.workers
        for consumer in config.queues.consumers
        if consumer.queue == name
    ]
    return {"queue": name, "producers": ", ".join(producers), "consumer": ", ".join(consumers), "waiting": waiting}


def _check(project: Project, queue: str) -> None:
    names = _names(project)
    if queue not in names:
        known = f"there are {', '.join(names)}" if names else "name one in [[queues.producers]]"
        raise UsageError(f"no worker of this project knows a queue {queue}", hint=known)
