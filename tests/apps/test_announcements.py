"""What others are told of stored events."""

import asyncio
from types import SimpleNamespace

import pytest
from inference_ui_api import announcements
from inference_ui_api.announcements import LATE_MS, MAX_IDS_A_MESSAGE, News
from inference_ui_api.events import read_batch


class Others:
    """A queue and a dataset that note what they are told; the queue fails where it is to."""

    def __init__(self, *, fails=False):
        self.messages, self.points, self.promises, self.fails = [], [], [], fails
        self.env = SimpleNamespace(EVENT_QUEUE=self, ANALYTICS=self)

    async def send(self, body):
        if self.fails:
            raise RuntimeError("the queue is full")
        self.messages.append(body.to_py())

    def writeDataPoint(self, point):
        self.points.append(point.to_py())

    def call(self, tenant_id):
        return SimpleNamespace(tenant_id=tenant_id, env=self.env, ctx=SimpleNamespace(waitUntil=self.promises.append))

    async def told(self):
        waiting, self.promises[:] = list(self.promises), []
        await asyncio.gather(*waiting)


def events(*names):
    body = [{"id": f"{name}-{place}", "event": name, "component": "Save"} for place, name in enumerate(names)]
    return read_batch(body, now_ms=5, new_id=lambda: "session").events


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(announcements, "AFTER_S", 0)


def point(tenant_id, name, count):
    return {"indexes": [tenant_id], "blobs": ["event", name, "Save"], "doubles": [count]}


async def test_the_news_of_many_posts_goes_out_together(worker):
    news, others = News(), Others()
    news.add(others.call("a"), events("x", "y"))
    news.add(others.call("b"), events("x"))
    news.add(others.call("a"), events("x"))
    assert len(others.promises) == 1
    await others.told()
    assert others.messages == [
        {"tenantId": "a", "ids": ["x-0", "y-1", "x-0"]},
        {"tenantId": "b", "ids": ["x-0"]},
    ]
    assert others.points == [point("a", "x", 2), point("a", "y", 1), point("b", "x", 1)]
    news.add(others.call("a"), events("z"))
    await others.told()
    assert others.messages[2:] == [{"tenantId": "a", "ids": ["z-0"]}]


async def test_many_ids_are_several_messages(worker):
    news, others = News(), Others()
    for _ in range(2):
        news.add(others.call("a"), events(*["x"] * 75))
    await others.told()
    assert [len(message["ids"]) for message in others.messages] == [MAX_IDS_A_MESSAGE, 50]


async def test_news_whose_request_was_stopped_goes_with_the_next(worker, clock):
    news, others = News(), Others()
    news.add(others.call("a"), events("lost"))
    others.promises.pop().close()
    news.add(others.call("a"), events("early"))
    assert others.promises == []
    await clock.advance(LATE_MS / 1000)
    news.add(others.call("a"), events("late"))
    await others.told()
    assert others.messages == [{"tenantId": "a", "ids": ["lost-0", "early-0", "late-0"]}]


async def test_what_cannot_be_told_is_said_in_the_log(worker, capsys):
    news, others = News(), Others(fails=True)
    others.env.ANALYTICS = None
    news.add(others.call("a"), events("x"))
    await others.told()
    assert capsys.readouterr().out == (
        "events: the data points were not written: 'NoneType' object has no attribute 'writeDataPoint'\n"
        "events: the queue was not told: the queue is full\n"
    )
