"""Files in R2: upload, download, ranges, conditions, signed addresses."""

import json
from urllib.parse import urlsplit

import pytest
from conftest import Caller, make_account

BODY = bytes(range(256)) * 4


@pytest.fixture
def caller(worker, account):
    return Caller(worker, account)


async def put(caller, name, body=BODY, content_type="image/png"):
    headers = {"content-type": content_type}
    return await caller.fetch(f"/assets/{name}", method="PUT", body=body, headers=headers)


async def test_a_file_comes_back_as_it_was_sent(caller):
    response = await put(caller, "models/a%20b.png")
    stored = await response.json()
    assert (response.status, response.headers["location"]) == (201, "/assets/models/a%20b.png")
    assert stored == {
        "name": "models/a b.png",
        "size": 1024,
        "etag": stored["etag"],
        "contentType": "image/png",
    }
    response = await caller.fetch("/assets/models/a%20b.png")
    assert (response.status, await response.bytes()) == (200, BODY)
    names = ("content-type", "content-length", "etag", "x-content-type-options", "content-security-policy")
    assert [response.headers[name] for name in names] == [
        "image/png",
        "1024",
        stored["etag"],
        "nosniff",
        "default-src 'none'; sandbox",
    ]
    response = await caller.fetch("/assets/models/a%20b.png", method="HEAD")
    assert (response.status, response.headers["content-length"], await response.bytes()) == (200, "1024", b"")


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "body"),
    [
        ("bytes=0-9", 206, "bytes 0-9/1024", BODY[:10]),
        ("bytes=1020-", 206, "bytes 1020-1023/1024", BODY[1020:]),
        ("bytes=-5", 206, "bytes 1019-1023/1024", BODY[-5:]),
        ("bytes=1000-5000", 206, "bytes 1000-1023/1024", BODY[1000:]),
        ("Bytes=0-1", 206, "bytes 0-1/1024", BODY[:2]),
        ("bytes=0-" + "9" * 5000, 206, "bytes 0-1023/1024", BODY),
        ("bytes=00001023-", 206, "bytes 1023-1023/1024", BODY[1023:]),
        ("bytes=1024-", 416, "bytes */1024", None),
        ("bytes=-0", 416, "bytes */1024", None),
        ("bytes=9-3", 200, None, BODY),
        ("bytes=0-1,5-6", 200, None, BODY),
        ("lines=1-2", 200, None, BODY),
    ],
)
async def test_ranges(caller, asked, status, content_range, body):
    await put(caller, "a")
    response = await caller.fetch("/assets/a", headers={"range": asked})
    assert (response.status, response.headers["content-range"]) == (status, content_range)
    assert body is None or await response.bytes() == body


async def test_what_the_client_has_is_not_sent_again(caller):
    etag = (await (await put(caller, "a")).json())["etag"]
    for sent in (etag, f'"x", {etag}', "*", f"W/{etag}"):
        for method in ("GET", "HEAD"):
            response = await caller.fetch("/assets/a", method=method, headers={"if-none-match": sent})
            assert (response.status, await response.bytes(), response.headers["etag"]) == (304, b"", etag)
    assert (await caller.fetch("/assets/a", headers={"if-none-match": '"x"'})).status == 200


@pytest.mark.parametrize("asked", ["bytes=0-1", "bytes=5000-"])
async def test_a_part_of_another_version_is_not_sent(caller, asked):
    etag = (await (await put(caller, "a")).json())["etag"]
    written = "Tue, 14 Nov 2023 22:13:20 GMT"
    part = 206 if asked == "bytes=0-1" else 416
    known = {etag: part, written: part, '"x"': 200, f"W/{etag}": 200, "Tue, 14 Nov 2023 22:13:19 GMT": 200}
    for condition, status in known.items():
        headers = {"range": asked, "if-range": condition}
        assert (await caller.fetch("/assets/a", headers=headers)).status == status


async def test_the_time_of_a_file_is_told_and_compared(caller):
    await put(caller, "a")
    sent = "Tue, 14 Nov 2023 22:13:20 GMT"
    for method in ("GET", "HEAD"):
        assert (await caller.fetch("/assets/a", method=method)).headers["last-modified"] == sent
    statuses = {sent: 304, "Tue, 14 Nov 2023 22:13:19 GMT": 200, "never": 200}
    for since, status in statuses.items():
        assert (await caller.fetch("/assets/a", headers={"if-modified-since": since})).status == status
    both = {"if-modified-since": sent, "if-none-match": '"x"'}
    assert (await caller.fetch("/assets/a", headers=both)).status == 200  # the ETag decides


async def test_files_are_listed_page_by_page_and_deleted(caller):
    for name in ("b", "a/1", "a/2"):
        await put(caller, name)
    found = await (await caller.fetch("/assets?limit=2")).json()
    assert [asset["name"] for asset in found["assets"]] == ["a/1", "a/2"]
    rest = await (await caller.fetch(f"/assets?limit=2&cursor={found['cursor']}")).json()
    assert ([asset["name"] for asset in rest["assets"]], rest["cursor"]) == (["b"], None)
    found = await (await caller.fetch("/assets?prefix=a/")).json()
    assert [asset["size"] for asset in found["assets"]] == [1024, 1024]
    assert (await caller.fetch("/assets/b", method="DELETE")).status == 204
    response = await caller.fetch("/assets/b")
    assert (response.status, await response.json()) == (404, {"error": "There is no asset b", "code": "NOT_FOUND"})


async def test_a_signed_address_needs_no_key_until_it_expires(caller, worker, clock):
    await put(caller, "a b")
    response = await caller.fetch("/assets/a%20b", method="POST", body=json.dumps({"expiresIn": 60}))
    signed = await response.json()
    assert response.status == 201
    path = signed["url"].removeprefix("http://localhost")
    response = await worker.fetch(path, headers={"range": "bytes=0-3"})
    assert (response.status, await response.bytes()) == (206, BODY[:4])
    changed = [path.replace("a%20b", "a%20c"), path.replace("tenant-acme", "tenant-beta"), path + "x"]
    changed.append(path.replace("expires=", "expires=9"))
    for other in [*changed, urlsplit(path).path]:
        response = await worker.fetch(other)
        assert (response.status, (await response.json())["error"]) == (
            403,
            "The download address is not valid or has expired",
        )
    await clock.advance(60)
    assert (await worker.fetch(path)).status == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/assets/a//b", "x", "name"),
        ("PUT", "/assets/a%2F..%2Fb", "x", "name"),
        ("PUT", "/assets/a%00b", "x", "name"),
        ("PUT", "/assets/" + "x" * 513, "x", "name"),
        ("POST", "/assets/a", '{"expiresIn":0}', "expiresIn"),
        ("POST", "/assets/a", '{"expiresIn":"1"}', "expiresIn"),
        ("POST", "/assets/a", "{", "body"),
        ("GET", "/assets?limit=0", None, "limit"),
        ("GET", "/assets?limit=x", None, "limit"),
        ("GET", "/assets?limit=%C2%B2", None, "limit"),  # a digit, says Python
    ],
)
async def test_a_wrong_request_names_the_field(caller, method, path, body, field):
    await put(caller, "a")
    options = {} if body is None else {"body": body}
    response = await caller.fetch(path, method=method, **options)
    assert (response.status, (await response.json())["field"]) == (400, field)


async def test_a_file_that_is_too_large_is_refused(caller):
    response = await put(caller, "a", bytes(26_214_401))
    assert response.status == 413


async def test_files_of_another_tenant_do_not_exist(caller, worker, env):
    await put(caller, "secret")
    other = Caller(worker, await make_account(env, "beta"))
    assert (await other.fetch("/assets/secret")).status == 404
    assert (await other.fetch("/assets/secret", method="POST", body="")).status == 404
    assert (await (await other.fetch("/assets")).json())["assets"] == []
    await other.fetch("/assets/secret", method="DELETE")
    assert (await caller.fetch("/assets/secret")).status == 200
    assert (await worker.fetch("/assets/secret")).status == 401
