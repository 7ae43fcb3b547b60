"""Storage that fails: the worker catches the platform's error, and the terminal says why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from pyworkers.bindings.durable.failures import storage_error
from pyworkers.bindings.queues.producer import WorkerQueue
from pyworkers.bindings.workflows.failures import storage_failure
from pyworkers.clock import ManualClock
from pyworkers.config.model import Project
from pyworkers.config.tables import SendEmail
from pyworkers.engines.queues import Backlog, NewMessage
from pyworkers.errors import EngineBusy, EngineClosed, EngineError
from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.mail import Mailbox
from pyworkers.runtime.stores import Stores

FULL = EngineError("/state/queues/jobs.sqlite could not be written: the disk is full", hint="free some space")
TOLD = "/state/queues/jobs.sqlite could not be written: the disk is full; free some space"


class FullQueue:
    """A queue on a full disk."""

    name = "jobs"
    has_consumer = True

    async def send(self, messages: Sequence[NewMessage]) -> None:
        raise FULL

    async def metrics(self) -> Backlog:
        return Backlog(count=0, size_bytes=0, oldest_sent_at_ms=None)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="pyworkers.storage")
    return caplog


@pytest.mark.parametrize(
    ("exposes_codes", "method", "text"),
    [
        (True, "send", "Unknown Internal Error (15000)"),
        (True, "sendBatch", "Unknown Internal Error (15000)"),
        (False, "send", "Queue send failed: Internal Server Error"),
        (False, "sendBatch", "Queue sendBatch failed: Internal Server Error"),
    ],
)
def test_a_queue(told: pytest.LogCaptureFixture, exposes_codes: bool, method: str, text: str) -> None:
    async def main() -> None:
        queue = WorkerQueue(FullQueue(), ManualClock(), exposes_codes=exposes_codes)
        body = "text" if method == "send" else [JsObject({"body": "text"})]
        with pytest.raises(JsException) as caught:
            await getattr(queue, method)(body)
        assert (caught.value.name, caught.value.message) == ("Error", text)

    asyncio.run(main())
    assert told.messages == [TOLD]


def test_an_e_mail(told: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "email").write_text("in the way")

    async def main() -> None:
        project = Project(root=tmp_path, workers=())
        mailbox = Mailbox(Stores(tmp_path, project, ManualClock()), ManualClock())
        mail = JsObject({"from": "a@example.com", "to": "b@example.com", "subject": "s", "text": "t"})
        with pytest.raises(JsException, match=r"^Error: internal error; reference = [0-9a-f]{24}$"):
            await mailbox.binding(SendEmail(name="MAIL")).send(mail)
        assert mailbox.sent == []

    asyncio.run(main())
    [line] = told.messages
    assert line.startswith(f"{tmp_path}/email/")
    assert line.endswith(".eml cannot be used: File exists; choose another --persist-to folder")


def test_a_workflow(told: pytest.LogCaptureFixture) -> None:
    assert storage_failure(FULL).message == "WorkflowInternalError: Storage failure due to internal error."
    assert told.messages == [TOLD]


def test_a_durable_object(told: pytest.LogCaptureFixture) -> None:
    assert storage_error(FULL).message == "Internal error in Durable Object storage."
    assert storage_error(EngineBusy("file is locked", hint="wait")).message == "database is locked: SQLITE_BUSY"
    assert told.messages == [TOLD, "file is locked; wait"]


def test_storage_that_is_closed_is_not_spoken_of(told: pytest.LogCaptureFixture) -> None:
    assert storage_error(EngineClosed("closed")).message == "Internal error in Durable Object storage."
    storage_failure(EngineClosed("closed"))
    assert told.messages == []
