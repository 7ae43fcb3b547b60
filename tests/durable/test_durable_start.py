"""What a start says of Durable Object classes that are not there, and of a state folder that cannot be used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.errors import EngineCorrupt, EngineError
from pyworkers.runtime.handlers import describe_missing
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

CONFIG = """
name = "w"
main = "entry.py"
compatibility_date = "2026-08-01"
compatibility_flags = ["python_workers"]
"""
ENTRY = """
from workers import DurableObject, WorkflowEntrypoint

class Room(DurableObject):
    pass

class Plain:
    pass

async def fetch(request, env):
    pass
"""


def binding(name: str, class_name: str) -> str:
    return f'[[durable_objects.bindings]]\nname = "{name}"\nclass_name = "{class_name}"\n'


def start(folder: Path, config: str, *, state: Path | None = None) -> list[str]:
    """Start a worker and end it; return what is said of its classes."""
    (folder / "wrangler.toml").write_text(CONFIG + config)
    (folder / "entry.py").write_text(ENTRY)
    clock = ManualClock()
    project = load_project(folder, environ={})

    async def run() -> list[str]:
        async with Runtime(project, Stores(state, project, clock), clock=clock) as runtime:
            return describe_missing(runtime.primary.handlers, runtime.primary.config)

    return asyncio.run(run())


def test_classes_that_are_there_are_not_spoken_of(tmp_path: Path) -> None:
    elsewhere = f'{binding("OTHER", "Elsewhere")}script_name = "other"\n'
    config = binding("ROOM", "Room") + elsewhere + '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Room"]\n'
    assert start(tmp_path, config) == []


def test_classes_that_the_module_does_not_offer_are_told(tmp_path: Path) -> None:
    config = (
        binding("A", "Rooms")
        + binding("B", "Plain")
        + '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Rooms", "Plain", "Unbound"]\n'
        + '[[workflows]]\nname = "flow"\nbinding = "FLOW"\nclass_name = "Flow"\n'
    )
    what = "the config names the Durable Object class {}, but entry.py has no class of that name that extends"
    rest = "calls to it fail; write it, import it there, or take it out of the config"
    assert start(tmp_path, config) == [
        f"{what.format('Plain')} DurableObject: {rest}",
        f"{what.format('Rooms')} DurableObject: calls to it fail; did you mean Room?",
        f"{what.format('Unbound')} DurableObject: {rest}",
        "the config names the Workflow class Flow, but entry.py has no class of that name that extends "
        f"WorkflowEntrypoint: {rest}",
    ]


def test_a_state_folder_that_cannot_be_made_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    state = tmp_path / "file" / "state"
    with pytest.raises(EngineError) as caught:
        start(tmp_path, '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Room"]\n', state=state)
    assert caught.value.message == f"{state}/do/classes.json cannot be used: Not a directory"
    assert caught.value.hint == "choose another --persist-to folder"


def test_classes_that_cannot_be_read_are_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "do" / "classes.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(EngineCorrupt) as caught:
        start(tmp_path, binding("ROOM", "Room"), state=tmp_path / "state")
    assert caught.value.message.startswith(f"{path} is no JSON: Expecting property name")
    assert path.read_text() == "{"
