"""``pyworkers tail``: the events of a running worker, as `wrangler tail` shows those of a deployed one.

Source: wrangler 4.86, src/tail
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from pyworkers.cli.commands import Command
from pyworkers.cli.place import Place, port_option
from pyworkers.errors import PyworkersError, UsageError

_NO_LIMIT: Final = None  # events come when they come
_OUTCOMES: Final = {
    "ok": ["ok"],
    "error": ["exception", "exceededCpu", "exceededMemory", "unknown"],
    "canceled": ["canceled"],
}
_SHOWN_OUTCOMES: Final = {
    "ok": "Ok",
    "canceled": "Canceled",
    "exception": "Exception Thrown",
    "exceededCpu": "Exceeded CPU Limit",
    "exceededMemory": "Exceeded Memory Limit",
}


@click.command(
    cls=Command,
    examples=(
        "pyworkers tail",
        "pyworkers tail --status error --method POST",
        "pyworkers tail streaming --search token --format json",
    ),
)
@click.argument("worker", required=False)
@click.option("--format", "form", type=click.Choice(("json", "pretty")), default=None, help="[pretty in a terminal]")
@click.option("--status", "statuses", multiple=True, type=click.Choice(tuple(_OUTCOMES)), help="How events ended.")
@click.option("--method", "methods", multiple=True, metavar="GET", help="The request's method.")
@click.option("--header", "headers", multiple=True, metavar="KEY:VALUE", help="A header, or KEY for any value.")
@click.option("--search", metavar="TEXT", help="What one of the printed messages holds.")
@click.option("--sampling-rate", type=click.FloatRange(0, 1), metavar="SHARE", help="The share of events to show.")
@click.option("--ip", "addresses", multiple=True, metavar="ADDRESS", help="The client's address.")
@port_option
def tail(
    *,
    worker: str | None,
    form: str | None,
    statuses: tuple[str, ...],
    methods: tuple[str, ...],
    headers: tuple[str, ...],
    search: str | None,
    sampling_rate: float | None,
    addresses: tuple[str, ...],
    port: int | None,
) -> None:
    """Show a worker's events as they happen, in the running `pyworkers dev`."""
    filters: list[dict[str, Any]] = [{"header": _header(text)} for text in headers]
    if statuses:
        filters.append({"outcome": [outcome for status in statuses for outcome in _OUTCOMES[status]]})
    if methods:
        filters.append({"method": list(methods)})
    if search is not None:
        filters.append({"query": search})
    if sampling_rate is not None:
        filters.append({"sampling_rate": sampling_rate})
    if addresses:
        filters.append({"client_ip": ["127.0.0.1" if address == "self" else address for address in addresses]})
    query = {"filters": json.dumps(filters), **({} if worker is None else {"worker": worker})}
    is_pretty = sys.stdout.isatty() if form is None else form == "pretty"
    for event in _listen(Place(Path.cwd()).server_port(port), query):
        if is_pretty:
            click.echo("\n".join(pretty(event)))
        else:
            click.echo(json.dumps(event, indent=2, ensure_ascii=False))


def _header(text: str) -> dict[str, str]:
    key, _, value = text.partition(":")
    if not key.strip():
        raise UsageError(f'--header "{text}" has no name', hint="write --header KEY:VALUE")
    return {"key": key.strip(), "query": value.strip()}


def _listen(port: int, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    import httpx  # after the arguments are known to be right

    try:
        with httpx.stream("GET", f"http://127.0.0.1:{port}/cdn-cgi/tail", params=query, timeout=_NO_LIMIT) as answer:
            if answer.status_code != 200:
                raise PyworkersError(answer.read().decode().strip(), hint="see the workers that `pyworkers dev` lists")
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)
                else:
                    click.echo(f"Connected to port {port}, waiting for events ...", err=True)
    except httpx.ConnectError:
        raise PyworkersError(
            f"nothing listens on port {port}", hint="start `pyworkers dev`, or name its port with --port"
        ) from None
    except httpx.RemoteProtocolError:
        return  # the server has ended


def pretty(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield an event's lines, as wrangler words them."""
    yield _title(item)
    for log in item["logs"]:
        message = " ".join(
            one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in log["message"]
        )
        yield f"  ({log['level']}) {message}"
    for exception in item["exceptions"]:
        text = exception["message"].rstrip().replace("\n", "\n    ")
        yield click.style(f"  {exception['name']}: {text}", fg="red")


def _title(item: Mapping[str, Any]) -> str:
    event: Mapping[str, Any] = item.get("event") or {}
    ended = _SHOWN_OUTCOMES.get(item["outcome"], "Unknown")
    when = f"{datetime.fromtimestamp(item['eventTimestamp'] / 1000).astimezone():%x, %X}"
    if "request" in event:
        return f"{event['request']['method']} {event['request']['url']} - {ended} @ {when}"
    if "cron" in event:
        return f'"{event["cron"]}" @ {when} - {ended}'
    if "queue" in event:
        count = event["batchSize"]
        return f"Queue {event['queue']} ({count} message{'' if count == 1 else 's'}) - {ended} @ {when}"
    if "mailFrom" in event:
        return f"Email from:{event['mailFrom']} to:{event['rcptTo']} size:{event['rawSize']} @ {when} - {ended}"
    if "rpcMethod" in event:
        return f"{item.get('entrypoint') or 'default'}.{event['rpcMethod']} - {ended} @ {when}"
    return f"Unknown Event - {ended} @ {when}"
