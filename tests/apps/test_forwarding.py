"""What the API worker does around a generation that it forwards."""

import asyncio
from types import SimpleNamespace

import pytest
from inference_ui_api import forwarding
from inference_ui_api.web import HttpError

LAST_MOMENT = 1_701_388_799_999  # 2023-11-30T23:59:59.999Z


def test_a_generation_is_given_back_to_the_month_that_it_was_taken_from(monkeypatch):
    times = iter([LAST_MOMENT, LAST_MOMENT + 1, LAST_MOMENT + 2])
    counted = []

    async def reserve(_data, _identity, *, now_ms):
        counted.append(("reserved", now_ms))

    async def give_back(_data, *, now_ms):
        counted.append(("given back", now_ms))

    async def unavailable(*_arguments):
        raise HttpError(503, "The streaming service is unavailable")

    monkeypatch.setattr(forwarding, "now_ms", lambda: next(times))
    monkeypatch.setattr(forwarding, "reserve_ai_request", reserve)
    monkeypatch.setattr(forwarding, "give_back_ai_request", give_back)
    monkeypatch.setattr(forwarding, "_send", unavailable)
    call = SimpleNamespace(
        method="POST",
        data=None,
        identity=None,
        env=SimpleNamespace(STREAMING=None),
        tail="/chat",
        url=SimpleNamespace(path="/stream/chat"),
    )
    with pytest.raises(HttpError):
        asyncio.run(forwarding.forward_stream(call))
    assert counted == [("reserved", LAST_MOMENT), ("given back", LAST_MOMENT)]
