"""``pyworkers workflows``: the workflows of the project, with wrangler's verbs and flags.

What only reads looks into the state's files. What changes something asks the running `pyworkers dev`; where none
answers it is done in the files, and the next `pyworkers dev` goes on from there.
"""

from __future__ import annotations

import json
from typing import Any, Final

import click

from pyworkers.cli.commands import Group
from pyworkers.cli.output import confirm, note, print_json, print_table, warn
from pyworkers.cli.place import Place, completes, place_options, port_option
from pyworkers.cli.workflows_calls import Caller, call_files
from pyworkers.cli.workflows_output import STATUS_SIGNS, print_details
from pyworkers.errors import UsageError
from pyworkers.server.workflows import Call

_EXAMPLES: Final = (
    "pyworkers workflows list",
    """pyworkers workflows trigger orders '{"order": 7}'""",
    "pyworkers workflows instances describe orders latest",
    """pyworkers workflows instances send-event orders latest --type approved --payload '{"by": "me"}'""",
)

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_page_option = click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Page to show.")
_per_page_option = click.option("--per-page", type=click.IntRange(min=1), default=None, help="Entries on a page.")
_name_argument = click.argument(
    "name", shell_complete=completes(lambda worker: [binding.name for binding in worker.workflows])
)


@click.group(cls=Group, examples=_EXAMPLES)
def workflows() -> None:
    """Workflows: list, trigger and describe them; manage their instances."""


@workflows.command("list", examples=("pyworkers workflows list",))
@_page_option
@_per_page_option
@_json_option
@port_option
@place_options
def list_command(*, place: Place, page: int, per_page: int | None, as_json: bool, port: int | None) -> None:  # noqa: ARG001
    """List the project's workflows."""
    found: list[dict[str, Any]] = call_files(place, Call("GET", ()))
    shown = found[(page - 1) * per_page : page * per_page] if per_page else found if page == 1 else []
    if as_json:
        print_json(shown)
    elif not found:
        warn("there are no workflows in this project", "add one to workflows in the wrangler file")
    else:
        note(f"Showing {len(shown)} workflow{'' if len(shown) == 1 else 's'}:")
        names = {"name": "Name", "script_name": "Script name", "class_name": "Class name"}
        print_table([{title: workflow[key] for key, title in names.items()} for workflow in shown])


@workflows.command(examples=("pyworkers workflows describe orders",))
@_name_argument
@_json_option
@port_option
@place_options
def describe(*, place: Place, name: str, as_json: bool, port: int | None) -> None:  # noqa: ARG001
    """Show a workflow and how many instances it has."""
    workflow: dict[str, Any] = call_files(place, Call("GET", (name,)))
    if as_json:
        print_json(workflow)
        return
    for title, key in (("Name", "name"), ("Script Name", "script_name"), ("Class Name", "class_name")):
        click.echo(f"{title + ':':13} {workflow[key]}")
    click.echo("Instance Status Counts:")
    for status, count in workflow["instances"].items():
        click.echo(f"  {status + ':':17} {count}")


@workflows.command(examples=("""pyworkers workflows trigger orders '{"order": 7}' --id first""",))
@_name_argument
@click.argument("params", default="")
@click.option("--id", "instance_id", default=None, help="The instance's id. [a new UUID]")
@port_option
@place_options
def trigger(*, place: Place, name: str, params: str, instance_id: str | None, port: int | None) -> None:
    """Start an instance; PARAMS is JSON."""
    body: dict[str, Any] = {} if instance_id is None else {"id": instance_id}
    if params:
        body["params"] = _json_of(params, "instance parameters")
    made = Caller(place, port)(Call("POST", (name, "instances"), body=json.dumps(body)))
    note(f'🚀 Workflow instance "{made["id"]}" has been triggered successfully')


@workflows.command(examples=("pyworkers workflows delete orders",))
@_name_argument
@port_option
@place_options
def delete(*, place: Place, name: str, port: int | None) -> None:
    """Delete all instances of a workflow."""
    if confirm(f'Delete all instances of the workflow "{name}"?', is_sure=False):
        Caller(place, port)(Call("DELETE", (name,)))
        note(f'Workflow "{name}": all instances were deleted')


@workflows.group(cls=Group)
def instances() -> None:
    """Instances of a workflow."""


@instances.command("list", examples=("pyworkers workflows instances list orders --status running",))
@_name_argument
@click.option("--status", type=click.Choice(list(STATUS_SIGNS)), default=None, help="Only those of this status.")
@click.option("--reverse", is_flag=True, help="The oldest first.")
@_page_option
@_per_page_option
@_json_option
@port_option
@place_options
def list_instances(
    *,
    place: Place,
    name: str,
    status: str | None,
    reverse: bool,
    page: int,
    per_page: int | None,
    as_json: bool,
    port: int | None,  # noqa: ARG001
) -> None:
    """List a workflow's instances, the newest first."""
    query = (
        {"page": str(page)} | ({"status": status} if status else {}) | ({"per_page": str(per_page)} if per_page else {})
    )
    found: list[dict[str, Any]] = call_files(place, Call("GET", (name, "instances"), query))
    found.sort(key=lambda instance: str(instance["created_on"]), reverse=not reverse)
    if as_json:
        print_json(found)
    elif not found and page > 1:
        warn(f"no instances found on page {page}", "try a smaller page number")
    elif not found:
        warn(f'there are no instances in workflow "{name}"', f"start one with: pyworkers workflows trigger {name}")
    else:
        note(f"Showing {len(found)} instance{'' if len(found) == 1 else 's'} from page {page}:")
        titles = {"id": "Instance ID", "created_on": "Created"}
        print_table(
            [
                {**{title: row[key] for key, title in titles.items()}, "Status": STATUS_SIGNS[row["status"]]}
                for row in found
            ]
        )


@instances.command("describe", examples=("pyworkers workflows instances describe orders latest",))
@_name_argument
@click.argument("instance_id", metavar="[ID]", default="latest")
@click.option("--step-output/--no-step-output", default=True, help="Show what the steps returned.")
@click.option("--truncate-output-limit", type=int, default=5000, show_default=True, help="Characters of it.")
@_json_option
@port_option
@place_options
def describe_instance(
    *,
    place: Place,
    name: str,
    instance_id: str,
    step_output: bool,
    truncate_output_limit: int,
    as_json: bool,
    port: int | None,  # noqa: ARG001
) -> None:
    """Show an instance, its steps and their attempts; ID may be "latest"."""
    found = _resolve(place, name, instance_id)
    details: dict[str, Any] = call_files(place, Call("GET", (name, "instances", found)))
    if as_json:
        print_json(details)
    else:
        print_details(name, found, details, output_limit=truncate_output_limit if step_output else None)


@instances.command("send-event", examples=("pyworkers workflows instances send-event orders latest --type approved",))
@_name_argument
@click.argument("instance_id", metavar="ID")
@click.option("--type", "event_type", required=True, help="The event's type.")
@click.option("--payload", default="{}", show_default=True, help="Its payload, as JSON.")
@port_option
@place_options
def send_event(*, place: Place, name: str, instance_id: str, event_type: str, payload: str, port: int | None) -> None:
    """Send an event to an instance."""
    value = _json_of(payload, "event payload")
    found = _resolve(place, name, instance_id)
    Caller(place, port)(Call("POST", (name, "instances", found, "events", event_type), body=payload))
    with_payload = f' and payload "{payload}"' if value not in ({}, [], "") else ""
    note(f'📤 The event with type "{event_type}"{with_payload} was sent to the instance "{found}" from {name}')


def _change(place: Place, name: str, instance_id: str, port: int | None, *, action: str) -> str:
    """Do one of the API's actions; returns the instance's id."""
    found = _resolve(place, name, instance_id)
    Caller(place, port)(Call("PATCH", (name, "instances", found, "status"), body=json.dumps({"action": action})))
    return found


@instances.command(examples=("pyworkers workflows instances pause orders latest",))
@_name_argument
@click.argument("instance_id", metavar="ID")
@port_option
@place_options
def pause(*, place: Place, name: str, instance_id: str, port: int | None) -> None:
    """Pause an instance, once the steps that run are done."""
    found = _change(place, name, instance_id, port, action="pause")
    note(f'⏸️ The instance "{found}" from {name} was paused successfully')


@instances.command(examples=("pyworkers workflows instances resume orders latest",))
@_name_argument
@click.argument("instance_id", metavar="ID")
@port_option
@place_options
def resume(*, place: Place, name: str, instance_id: str, port: int | None) -> None:
    """Resume an instance that is paused."""
    found = _change(place, name, instance_id, port, action="resume")
    note(f'🔄 The instance "{found}" from {name} was resumed successfully')


@instances.command(examples=("pyworkers workflows instances restart orders latest",))
@_name_argument
@click.argument("instance_id", metavar="ID")
@port_option
@place_options
def restart(*, place: Place, name: str, instance_id: str, port: int | None) -> None:
    """Restart an instance from its first step."""
    found = _change(place, name, instance_id, port, action="restart")
    note(f'🥷 The instance "{found}" from {name} was restarted successfully')


@instances.command(examples=("pyworkers workflows instances terminate orders latest",))
@_name_argument
@click.argument("instance_id", metavar="ID")
@port_option
@place_options
def terminate(*, place: Place, name: str, instance_id: str, port: int | None) -> None:
    """Terminate an instance."""
    found = _change(place, name, instance_id, port, action="terminate")
    note(f'🥷 The instance "{found}" from {name} was terminated successfully')


def _resolve(place: Place, name: str, instance_id: str) -> str:
    """Return an instance's id, for ``latest`` too.

    Raises:
        UsageError: there is none.
    """
    if instance_id != "latest":
        return instance_id
    found: list[dict[str, Any]] = call_files(place, Call("GET", (name, "instances"), {"per_page": "1"}))
    if not found:
        raise UsageError(
            f'There are no instances in workflow "{name}"', hint=f"start one with: pyworkers workflows trigger {name}"
        )
    note(f'Latest instance is "{found[0]["id"]}"')
    return str(found[0]["id"])


def _json_of(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f'Error while parsing {what}: "{text}" with {error}', hint="write it as JSON") from None
