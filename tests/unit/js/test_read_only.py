from __future__ import annotations

import asyncio

import pytest

from pyworkers.bindings.cache.storage import CacheStorage
from pyworkers.bindings.queues.batch import QueueController
from pyworkers.clock import ManualClock
from pyworkers.engines.queues.protocol import Backlog, TakenMessage
from pyworkers.js.scope import module as js
from pyworkers.js.sockets import Sockets
from pyworkers.js.values import JsException, JsObject, JsProxy
from pyworkers.runtime.triggers import ScheduledController


def refusal(target: object, name: str) -> str:
    with pytest.raises(JsException) as caught:
        setattr(target, name, 5)
    assert caught.value.name == "TypeError"
    return caught.value.message


def test_what_python_sees_of_it_is_a_TypeError_of_javascript():
    response = js.Response.new("x")
    with pytest.raises(JsException) as caught:
        response.status = 5
    assert str(caught.value) == "TypeError: Cannot assign to read only property 'status' of object '#<Response>'"
    assert response.status == 200


def test_what_is_no_property_of_the_platforms_can_be_set():
    response = js.Response.new("x")
    response.own = 5
    response.text = lambda: "mine"
    assert (response.own, response.text()) == (5, "mine")


@pytest.mark.parametrize("name", ["own", "status", "headers", "nosuch", "text"])
def test_deleting_takes_away_what_is_the_objects_own(name):
    response = js.Response.new("x")
    response.own = 5
    delattr(response, name)
    assert not hasattr(response, "own") or name != "own"
    assert (response.status, response.headers.get("content-type")) == (200, "text/plain;charset=UTF-8")


def test_deleting_a_property_of_a_plain_object_twice_is_no_error():
    value = JsObject({"a": 1, "b": 2})
    del value.a
    del value.a
    assert value.own_properties() == {"b": 2}


def test_an_object_map_sets_properties_of_any_object():
    response = js.Response.new("x")
    view = response.as_object_map()
    view["own"] = 5
    assert response.own == 5
    with pytest.raises(JsException, match="Cannot assign to read only property 'status' of object '#<Response>'"):
        view["status"] = 5


@pytest.mark.parametrize("name", ["id", "timestamp", "body", "attempts"])
def test_a_message_of_a_queue_cannot_be_changed(name):
    message = TakenMessage("m1", b"null", "json", 0, 1, "lease")
    batch = QueueController("jobs", [message], Backlog(0, 0, 0))
    found = f"Cannot assign to read only property '{name}' of object '#<QueueMessage>'"
    assert refusal(batch.messages[0], name) == found


def test_handlers_get_what_they_cannot_change():
    batch, controller = QueueController("jobs", [], Backlog(0, 0, 0)), ScheduledController("* * * * *", 0)
    assert [refusal(batch, name) for name in ("queue", "messages", "metadata")] == [
        "Cannot assign to read only property 'queue' of object '#<QueueController>'",
        "Cannot assign to read only property 'messages' of object '#<QueueController>'",
        "Cannot assign to read only property 'metadata' of object '#<QueueController>'",
    ]
    assert (
        refusal(controller, "cron") == "Cannot assign to read only property 'cron' of object '#<ScheduledController>'"
    )


def test_the_default_cache_cannot_be_replaced():
    def no_engine():
        raise AssertionError("nothing is read")

    caches = CacheStorage(no_engine, ManualClock())
    assert refusal(caches, "default") == "Cannot assign to read only property 'default' of object '#<CacheStorage>'"


def test_a_socket_cannot_be_changed():
    async def properties() -> list[str]:
        socket = Sockets().connect("127.0.0.1:1")
        found = [refusal(socket, name) for name in ("readable", "writable", "opened", "closed", "upgraded")]
        with pytest.raises(JsException, match="cannot connect to the specified address"):
            await socket.opened
        return found

    assert asyncio.run(properties()) == [
        f"Cannot assign to read only property '{name}' of object '#<Socket>'"
        for name in ("readable", "writable", "opened", "closed", "upgraded")
    ]


def test_a_class_tells_its_read_only_properties():
    class Thing(JsProxy, js_name="Thing", read_only="given"):
        LIMIT = 3

        def __init__(self) -> None:
            self.__dict__["given"] = 1

        @property
        def computed(self) -> int:
            return 2

    class Special(Thing, js_name="Special", read_only="more"):
        """Has what its base has."""

    assert Special.read_only == {"LIMIT", "given", "more"}
    assert [refusal(Special(), name) for name in ("LIMIT", "given", "computed", "more")] == [
        f"Cannot assign to read only property '{name}' of object '#<Special>'"
        for name in ("LIMIT", "given", "computed", "more")
    ]
