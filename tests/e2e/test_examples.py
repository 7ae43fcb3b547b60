"""Every example does what its first line says."""

import json

import pytest


@pytest.mark.worker_config("examples/hello-module/wrangler.toml")
async def test_hello_module(worker):
    response = await worker.fetch("/Ada")
    assert (response.status, await response.text()) == (200, "Hello, Ada!")


@pytest.mark.worker_config("examples/hello-class/wrangler.toml")
async def test_hello_class(worker):
    response = await worker.fetch("/")
    assert (response.status, await response.text()) == (200, "Hello, world!")
    assert await worker.shout("quiet") == "QUIET"


@pytest.mark.worker_config("examples/kv-counter/wrangler.toml")
async def test_kv_counter(worker, env, clock):
    for visits in (1, 2, 3):
        assert await (await worker.fetch("/a")).json() == {"path": "/a", "visits": visits}
    assert await (await worker.fetch("/b")).json() == {"path": "/b", "visits": 1}
    assert await env.COUNTS.get("/a") == "3"
    clock.advance(3600)
    assert await (await worker.fetch("/a")).json() == {"path": "/a", "visits": 1}


@pytest.mark.worker_config("examples/d1-notes/wrangler.toml")
async def test_d1_notes(worker):
    assert await (await worker.fetch("/")).json() == []
    added = await worker.fetch("/", method="POST", body=json.dumps({"text": "first"}))
    assert (added.status, await added.json()) == (201, {"id": 1, "text": "first"})
    assert await (await worker.fetch("/")).json() == [{"id": 1, "text": "first"}]


@pytest.mark.worker_config("examples/service-binding/front/wrangler.toml")
async def test_service_binding(worker):
    response = await worker.fetch("/Ada")
    assert await response.text() == "fetch: Hello, Ada!\nrpc: Hello, Ada!\nentrypoint: Good day, Dr. Ada."


@pytest.mark.worker_config("examples/fastapi-asgi/wrangler.toml")
async def test_fastapi(worker):
    assert await (await worker.fetch("/")).json() == {"message": "Hello"}
    created = await worker.fetch(
        "/items",
        method="POST",
        body='{"name": "tea", "price": 10}',
        headers={"content-type": "application/json"},
    )
    assert (created.status, await created.json()) == (201, {"name": "tea", "price_with_tax": 12.0})
    invalid = await worker.fetch("/items", method="POST", body="{}", headers={"content-type": "application/json"})
    assert invalid.status == 422
    stream = await worker.fetch("/count")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert await stream.text() == "data: 0\n\ndata: 1\n\ndata: 2\n\n"


@pytest.mark.worker_config("examples/django-wsgi/wrangler.toml")
async def test_django(worker):
    assert await (await worker.fetch("/hello/Ada")).json() == {"message": "Hello, Ada!", "method": "GET"}
    echoed = await worker.fetch("/echo", method="POST", body="some bytes")
    assert (echoed.status, await echoed.json()) == (201, {"received": "some bytes"})
    assert (await worker.fetch("/nothing")).status == 404
