"""workers.wsgi: environ, input, streaming, cookies, errors."""

import js
import pytest
from shown import error_of

pytestmark = pytest.mark.worker_config("tests/sdk/workers/wsgi/wrangler.toml")


async def test_environ(worker):
    response = await worker.fetch(
        "http://app.test:8080/caf%C3%A9?x=%20", headers={"Content-Type": "a/b", "X-A-B": "1", "Cookie": "c=d"}
    )
    assert response.headers["content-type"] == "application/json"
    assert await response.json() == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/cafÃ©",
        "QUERY_STRING": "x=%20",
        "SERVER_NAME": "app.test",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_TYPE": "a/b",
        "HTTP_X_A_B": "1",
        "HTTP_COOKIE": "c=d",
        "env": "blue",
    }


async def test_the_body_is_a_file_that_is_read_as_it_comes(worker):
    response = await worker.fetch("/echo", method="POST", body="some text")
    assert (response.status, response.status_text, await response.text()) == (201, "Created", "some text")
    response = await worker.fetch("/read_parts", method="POST", body="abcdef\nghi\njkl")
    assert await response.text() == "abc|def\n|ghi\njkl"
    big = b"x" * 300_000
    assert await (await worker.fetch("/echo", method="POST", body=big)).bytes() == big
    assert await (await worker.fetch("/echo")).text() == ""


async def test_a_streamed_body_is_read_too(worker):
    stream = js.Response.new("streamed input").body
    response = await worker.fetch("/echo", method="POST", body=stream)
    assert await response.text() == "streamed input"


async def test_an_app_need_not_read_its_input(worker):
    assert await (await worker.fetch("/read_little", method="POST", body="abc")).text() == "a"


async def test_cookies_stay_apart(worker):
    response = await worker.fetch("/cookies")
    assert (response.status_text, response.headers.get_all("set-cookie")) == ("Fine", ["a=1", "b=2"])
    assert await response.text() == ""


async def test_the_answer_is_made_as_it_is_read(worker):
    response = await worker.fetch("/stream")
    assert "made 2" not in await worker.log()
    assert await response.text() == "chunk 0\nchunk 1\nchunk 2\n"
    assert (await worker.log())[-2:] == ["made 2", "closed"]


async def test_cancelling_the_answer_closes_it(worker):
    response = await worker.fetch("/stream")
    await response.body.cancel()
    assert (await worker.log())[-1] == "closed"


async def test_start_response_may_come_late_and_write_works(worker):
    response = await worker.fetch("/late_start")
    assert (response.status, await response.text()) == (202, "late")
    assert await (await worker.fetch("/write")).text() == "written returned"


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        ("/break_before", "builtins.ValueError", "before the answer"),
        ("/twice", "builtins.AssertionError", "start_response() called more than once"),
        ("/replaced", "builtins.ValueError", "sent already"),
        ("/silent", "builtins.RuntimeError", "The WSGI application did not call start_response()"),
    ],
)
async def test_errors_before_the_answer(worker, caplog, path, error, text):
    assert await error_of(lambda: worker.fetch(path)) == (error, text)
    assert [record.getMessage() for record in caplog.records if record.name == "wsgi"] == ["WSGI request failed"]


async def test_an_error_in_the_body_breaks_the_stream(worker, caplog):
    response = await worker.fetch("/break_in_body")
    assert await error_of(response.text) == ("pyodide.http._exceptions.AbortError", "in the body")
    assert [record.getMessage() for record in caplog.records if record.name == "wsgi"] == [
        "Exception while streaming WSGI response body"
    ]


async def test_null_body_statuses(worker):
    response = await worker.fetch("/no_content")
    assert (response.status, response.body) == (204, None)
    assert await worker.log() == ["closed"]


async def test_a_js_request_will_do(worker):
    request = js.Request.new("https://app.test/echo", method="POST", body="raw")
    response = await worker.isolate.fetch(request.delivered(), entrypoint="Raw")
    assert (response.constructor.name, await response.text()) == ("Response", "raw")
