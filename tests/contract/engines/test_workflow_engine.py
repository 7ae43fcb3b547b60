"""The laws of `WorkflowEngine`, for every engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from pyworkers.clock import ManualClock
from pyworkers.engines.workflows import ENGINES, LogEntry, LogRecord, StepRecord, WorkflowEngine
from pyworkers.engines.workflows.sqlite_engine import SqliteWorkflowEngine
from pyworkers.errors import EngineClosed, EngineCorrupt

NOW_MS = 1_700_000_000_000

Open = Callable[[], WorkflowEngine]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS / 1000)


@pytest.fixture(params=[pytest.param("sqlite", id="sqlite"), pytest.param("memory", id="memory")])
def engine(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[WorkflowEngine]:
    engine = SqliteWorkflowEngine(tmp_path / "flow.sqlite" if request.param == "sqlite" else None, clock=clock)
    yield engine
    asyncio.run(engine.close())


def test_every_engine_of_the_table_is_tested() -> None:
    assert list(ENGINES) == ["sqlite"]


def test_instance_that_exists_is_not_created_again(engine: WorkflowEngine, clock: ManualClock) -> None:
    assert engine.create("i", b"first", logs=[LogEntry(0)]) is True
    clock.advance(1)
    assert engine.create("i", b"second", logs=[LogEntry(0)]) is False
    assert engine.logs("i") == [LogRecord(NOW_MS, LogEntry(0))]
    record = engine.find("i")
    assert record is not None
    assert (record.status, record.params, record.created_ms) == ("queued", b"first", NOW_MS)
    assert engine.find("j") is None


def test_instances_are_listed_by_creation_and_status(engine: WorkflowEngine, clock: ManualClock) -> None:
    for name in ("a", "b", "c"):
        engine.create(name, b"")
        clock.advance(1)
    engine.set_status("b", "complete")
    ids = lambda found: [record.instance_id for record in found]  # noqa: E731  # three uses, one line
    assert ids(engine.instances()) == ["c", "b", "a"]
    assert ids(engine.instances(newest_first=False, limit=2, offset=1)) == ["b", "c"]
    assert ids(engine.instances(status="complete")) == ["b"]
    assert engine.counts() == {"queued": 2, "complete": 1}


def test_unfinished_are_those_that_are_to_run(engine: WorkflowEngine) -> None:
    statuses = ["queued", "running", "paused", "errored", "terminated", "complete", "waitingForPause", "waiting"]
    for status in statuses:
        engine.create(status, b"")
        engine.set_status(status, status)
    assert engine.unfinished() == ["queued", "running", "waitingForPause", "waiting"]


def test_a_step_is_stored_together_with_what_is_logged_of_it(engine: WorkflowEngine) -> None:
    engine.create("i", b"")
    step = StepRecord("k", "done", 2, config="{}", due_ms=5, value=b"\x00v", is_stream=True)
    entry = LogEntry(6, "k", "k-1", '{"result":1}')
    engine.save_step("i", step, logs=[entry])
    assert engine.step("i", "k") == step
    assert engine.step("i", "other") is None
    assert engine.step("other", "k") is None
    assert engine.logs("i") == [LogRecord(NOW_MS, entry)]


def test_a_step_that_takes_an_event_takes_it_in_one_transaction(engine: WorkflowEngine) -> None:
    engine.create("i", b"")
    for payload in (b"1", b"2"):
        engine.add_event("i", "go", payload)
    engine.add_event("i", "other", b"3")
    first = engine.next_event("i", "go")
    assert first is not None
    assert (first.payload, first.event_type, first.time_ms) == (b"1", "go", NOW_MS)
    assert engine.next_event("i", "go") == first
    engine.save_step("i", StepRecord("w", "done"), event=first)
    second = engine.next_event("i", "go")
    assert second is not None
    assert second.payload == b"2"
    assert engine.next_event("j", "go") is None


def test_resuming_puts_off_what_is_waited_for(engine: WorkflowEngine, clock: ManualClock) -> None:
    engine.create("i", b"")
    engine.save_step("i", StepRecord("open", due_ms=1000))
    engine.save_step("i", StepRecord("done", "done", due_ms=None, value=b"v"))
    engine.set_status("i", "paused", paused_ms=clock.now_ms())
    paused = engine.find("i")
    assert paused is not None
    assert (paused.status, paused.paused_ms) == ("paused", NOW_MS)
    engine.resume("i", by_ms=500)
    resumed = engine.find("i")
    assert resumed is not None
    assert (resumed.status, resumed.paused_ms) == ("queued", None)
    assert [engine.step("i", key) for key in ("open", "done")] == [
        StepRecord("open", due_ms=1500),
        StepRecord("done", "done", value=b"v"),
    ]


def test_a_reset_leaves_the_instance_and_its_params(engine: WorkflowEngine) -> None:
    for name in ("i", "j"):
        engine.create(name, b"params")
        engine.save_step(name, StepRecord("k"), logs=[LogEntry(5, "k")])
        engine.add_event(name, "go", b"")
        engine.set_status(name, "complete", logs=[LogEntry(2)])
    engine.reset("i")
    record = engine.find("i")
    assert record is not None
    assert (record.status, record.params) == ("queued", b"params")
    assert (engine.step("i", "k"), engine.next_event("i", "go"), engine.logs("i")) == (None, None, [])
    engine.reset("i", logs=[LogEntry(0)])
    assert [log.entry.event for log in engine.logs("i")] == [0]
    engine.delete("i")
    assert engine.find("i") is None
    assert [log.entry.event for log in engine.logs("j")] == [5, 2]


def test_what_was_stored_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "flow.sqlite"

    def opened(work: Callable[[WorkflowEngine], Any]) -> Any:
        engine = SqliteWorkflowEngine(path)
        try:
            return work(engine)
        finally:
            asyncio.run(engine.close())

    opened(lambda engine: engine.create("i", b"p"))
    opened(lambda engine: engine.save_step("i", StepRecord("k", "running", 3)))
    assert opened(lambda engine: engine.step("i", "k")) == StepRecord("k", "running", 3)


def test_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "flow.sqlite"
    engine = SqliteWorkflowEngine(path)
    engine.create("i", b"")
    with pytest.raises(Exception, match="NOT NULL constraint failed"):
        engine.save_step("i", StepRecord("k"), logs=[LogEntry(None)])  # type: ignore[arg-type]  # what fails in the middle
    assert engine.step("i", "k") is None
    engine.save_step("i", StepRecord("k"))
    asyncio.run(engine.close())


def test_closed_and_broken_files_say_so(tmp_path: Path) -> None:
    engine = SqliteWorkflowEngine(tmp_path / "flow.sqlite")
    engine.create("i", b"")
    asyncio.run(engine.close())
    asyncio.run(engine.close())
    with pytest.raises(EngineClosed):
        engine.find("i")
    (tmp_path / "broken.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(EngineCorrupt):
        SqliteWorkflowEngine(tmp_path / "broken.sqlite").find("i")


def test_other_programs_read_the_file_while_it_is_open(tmp_path: Path) -> None:
    engine = SqliteWorkflowEngine(tmp_path / "flow.sqlite")
    engine.create("i", b"")
    reader = apsw.Connection(str(tmp_path / "flow.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    assert reader.execute("SELECT id, status FROM instances").fetchall() == [("i", "queued")]
    reader.close()
    asyncio.run(engine.close())
