"""The server's own routes, and who may use them."""

from __future__ import annotations

import json

import pytest
from serving import run, serving

from pyworkers.js.request import Request
from pyworkers.js.response import Response

LOCAL = "Host: localhost:8787"


async def worker(_request: Request) -> Response:
    return Response.js_new("worker")


@pytest.mark.parametrize("path", ["/cdn-cgi/handler/scheduled", "/cdn-cgi/local/scheduled", "/cdn-cgi/mf/scheduled"])
def test_scheduled_runs_with_the_cron_and_time_asked_for(path: str) -> None:
    async def main() -> None:
        async with serving(worker) as served:
            assert (await served.request("GET", path, LOCAL))[2] == b"ok"
            assert (await served.request("POST", path + "?cron=*/5+*+*+*+*&time=1700000001000", LOCAL))[2] == b"ok"
            assert served.isolate.scheduled == [("", 1_700_000_000_000), ("*/5 * * * *", 1_700_000_001_000)]

    run(main())


def test_wranglers_scheduled_path_has_its_own_answer() -> None:
    async def main() -> None:
        async with serving(worker) as served:
            assert (await served.request("GET", "/__scheduled?cron=*", LOCAL))[2] == b"Ran scheduled event"
            assert served.isolate.scheduled == [("*", 1_700_000_000_000)]

    run(main())


def test_a_scheduled_handler_that_throws_is_reported() -> None:
    async def main() -> None:
        async with serving(worker) as served:
            status, _, body = await served.request("GET", "/cdn-cgi/handler/scheduled?cron=throw", LOCAL)
        assert (status, body) == (500, b"exception")
        assert served.text.startswith("SCHEDULED throw 500 (")
        assert served.text.endswith("    ValueError: cron boom\n")

    run(main())


def test_a_time_that_is_none_is_refused() -> None:
    async def main() -> None:
        async with serving(worker) as served:
            status, _, body = await served.request("GET", "/cdn-cgi/handler/scheduled?time=garbage", LOCAL)
        assert (status, body) == (500, b"TypeError: The value cannot be converted because it is not a valid Date.")

    run(main())


@pytest.mark.parametrize("path", ["/cdn-cgi/handler/nosuch", "/cdn-cgi/handler/scheduled/"])
def test_an_unknown_handler_is_named(path: str) -> None:
    async def main() -> None:
        async with serving(worker) as served:
            status, _, body = await served.request("GET", path, LOCAL)
        assert (status, body.decode()) == (
            404,
            f'"{path}" is not a valid handler. Did you mean to use "/cdn-cgi/handler/scheduled" or '
            '"/cdn-cgi/handler/email"?',
        )

    run(main())


def test_an_unknown_control_route_is_404_json() -> None:
    async def main() -> None:
        async with serving(worker) as served:
            status, headers, body = await served.request("GET", "/cdn-cgi/metrics/x", LOCAL)
        assert (status, headers["content-type"]) == (404, "application/json")
        assert json.loads(body)["error"] == "No control route /cdn-cgi/metrics/x"

    run(main())


@pytest.mark.parametrize("path", ["/cdn-cgi/trace", "/cdn-cgi/", "/cdn-cgi/handler", "/cdn-cgi/image/width=1/x.png"])
def test_other_reserved_paths_reach_the_worker(path: str) -> None:
    async def main() -> None:
        async with serving(worker) as served:
            assert (await served.request("GET", path, LOCAL))[2] == b"worker"

    run(main())


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:1234", "app.localhost:8787", "127.0.0.1:8787", "127.9.9.9", "[::1]:8787", "box:8787"],
)
def test_control_routes_answer_this_machine(host: str) -> None:
    async def main() -> None:
        async with serving(worker, hosts=("box",)) as served:
            assert (await served.request("GET", "/cdn-cgi/metrics", f"Host: {host}"))[0] == 200

    run(main())


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.168.0.1", "", "[::1", "127.0.0.1.evil.example"]
)
@pytest.mark.parametrize("path", ["/cdn-cgi/handler/scheduled", "/cdn-cgi/worker"])
def test_control_routes_refuse_a_foreign_host(path: str, host: str) -> None:
    async def main() -> None:
        async with serving(worker) as served:
            status, headers, body = await served.request("GET", path, f"Host: {host}")
            assert (status, headers["content-type"], body) == (403, "text/plain;charset=UTF-8", b"Invalid Host header")
            assert served.isolate.scheduled == []

    run(main())


@pytest.mark.parametrize(
    ("origin", "status"), [("http://localhost:3000", 200), ("http://evil.example", 403), ("null", 403)]
)
def test_control_routes_refuse_a_foreign_origin(origin: str, status: int) -> None:
    async def main() -> None:
        async with serving(worker) as served:
            reply = await served.request("POST", "/cdn-cgi/handler/scheduled", LOCAL, f"Origin: {origin}")
            assert reply[0] == status
            assert len(served.isolate.scheduled) == (status == 200)

    run(main())
