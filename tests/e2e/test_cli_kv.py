"""``pyworkers kv``: wrangler's verbs, the platform's limits, and the data of a running server."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from cli_call import CONFIG, Done, call, printed
from dev_process import COMMAND, HANG_S, StartDev, clean_environ, run_command

WORKER = """
from workers import Response

async def fetch(request, env):
    key = request.url.rpartition("/")[2]
    if request.method == "PUT":
        await env.KV.put(key, await request.text())
    found = await env.KV.getWithMetadata(key)
    return Response.json({"value": found.value, "metadata": found.metadata})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(WORKER)
    return tmp_path


def test_a_value_is_written_and_read(folder: Path) -> None:
    assert printed(folder, "kv", "key", "put", "greeting", "héllo", "--binding", "KV", "--local") == (
        'Writing the value "héllo" to key "greeting" on namespace binding: "KV" (id: "kv-id").\n'
    )
    assert printed(folder, "kv", "key", "get", "greeting", "--binding=KV") == "héllo"
    assert printed(folder, "kv", "key", "get", "greeting", "--binding", "KV", "--text") == "héllo\n"
    assert printed(folder, "kv", "key", "get", "greeting", "--namespace-id", "kv-id", "--local", "true") == "héllo"


def test_a_file_is_written_byte_by_byte(folder: Path) -> None:
    data = bytes(range(256)) * 300
    (folder / "logo.bin").write_bytes(data)
    assert printed(folder, "kv", "key", "put", "logo", "--path", "logo.bin", "--namespace-id", "kv-id") == (
        'Writing the contents of logo.bin to the key "logo" on namespace id: "kv-id".\n'
    )
    read = printed(folder, "kv", "key", "get", "logo", "--binding", "KV")
    assert read.encode("utf-8", "surrogateescape") == data


def test_a_listing_is_wranglers_json(folder: Path) -> None:
    before_s = int(time.time())
    printed(folder, "kv", "key", "put", "b", "1", "--binding", "KV", "--metadata", '{"n": 1, "ü": [null]}')
    printed(folder, "kv", "key", "put", "a", "1", "--binding", "KV", "--expiration", "2000000000")
    printed(folder, "kv", "key", "put", "c:1", "1", "--binding", "KV", "--ttl", "600")
    after_s = int(time.time())
    text = printed(folder, "kv", "key", "list", "--binding", "KV")
    listed = json.loads(text)
    expiration = listed[2].pop("expiration")
    assert before_s + 600 <= expiration <= after_s + 601
    assert listed == [
        {"name": "a", "expiration": 2000000000},
        {"name": "b", "metadata": {"n": 1, "ü": [None]}},
        {"name": "c:1"},
    ]
    assert text.startswith('[\n  {\n    "name": "a",\n    "expiration": 2000000000\n  },\n')
    [found] = json.loads(printed(folder, "kv", "key", "list", "--binding", "KV", "--prefix", "c:"))
    assert found["name"] == "c:1"
    assert printed(folder, "kv", "key", "list", "--binding", "BOTH") == "[]\n"


def test_a_listing_holds_more_keys_than_a_page(folder: Path) -> None:
    items = [{"key": f"key-{number:04}", "value": "x"} for number in range(2_345)]
    (folder / "items.json").write_text(json.dumps(items))
    assert printed(folder, "kv", "bulk", "put", "items.json", "--binding", "KV") == "Success!\n"
    names = [key["name"] for key in json.loads(printed(folder, "kv", "key", "list", "--binding", "KV"))]
    assert names == [item["key"] for item in items]


def test_a_key_is_deleted_and_need_not_be_there(folder: Path) -> None:
    printed(folder, "kv", "key", "put", "a", "1", "--binding", "KV")
    for _ in range(2):
        assert printed(folder, "kv", "key", "delete", "a", "--binding", "KV") == (
            'Deleting the key "a" on namespace binding: "KV" (id: "kv-id").\n'
        )
    assert printed(folder, "kv", "key", "list", "--binding", "KV") == "[]\n"


def test_a_value_that_is_not_there_is_an_error(folder: Path) -> None:
    assert call(folder, "kv", "key", "get", "none", "--binding", "KV") == Done(
        1,
        "",
        'Error: Value not found: there is no key "none" on namespace binding: "KV" (id: "kv-id")\n'
        "  pyworkers kv key list --binding KV lists the keys\n",
    )


def test_reading_a_namespace_without_data_makes_no_file(folder: Path) -> None:
    (folder / "keys.json").write_text('["key"]')
    where = ("--namespace-id", "typo")
    assert call(folder, "kv", "key", "get", "key", *where).status == 1
    assert printed(folder, "kv", "key", "list", *where) == "[]\n"
    assert json.loads(printed(folder, "kv", "bulk", "get", "keys.json", *where)) == {"key": {"value": None}}
    assert not (folder / ".pyworkers").exists()


def test_the_preview_namespace_is_another_and_must_be_chosen_to_write(folder: Path) -> None:
    put = ("kv", "key", "put", "a")
    assert call(folder, *put, "1", "--binding", "BOTH") == Done(
        2,
        "",
        'Error: The binding "BOTH" has both an "id" and a "preview_id" configured.\n'
        '  pass "--preview false" for the one that `pyworkers dev` uses, or --preview for the other\n',
    )
    printed(folder, *put, "production", "--binding", "BOTH", "--preview", "false")
    printed(folder, *put, "preview", "--binding", "BOTH", "--preview")
    assert printed(folder, "kv", "key", "get", "a", "--binding", "BOTH") == "production"
    assert printed(folder, "kv", "key", "get", "a", "--binding", "BOTH", "--preview") == "preview"
    assert printed(folder, "kv", "key", "get", "a", "--namespace-id", "both-preview") == "preview"
    assert call(folder, "kv", "key", "get", "a", "--binding", "KV", "--preview").err == (
        'Error: the binding "KV" has no "preview_id"\n  add one to the wrangler file, or leave --preview out\n'
    )


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("a", "1", "--ttl", "59"),
         "KV PUT failed: 400 Invalid expiration_ttl of 59. Expiration TTL must be at least 60."),
        (("a", "1", "--expiration", "1"),
         "KV PUT failed: 400 Invalid expiration of 1. Please specify integer greater than the current number of "
         "seconds since the UNIX epoch."),
        (("k" * 513, "1"), "KV PUT failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512."),
        (("..", "1"), '".." is not allowed as a key name.'),
    ],
)  # fmt: skip
def test_the_platforms_limits_hold(folder: Path, args: tuple[str, ...], text: str) -> None:
    done = call(folder, "kv", "key", "put", *args, "--binding", "KV")
    assert (done.status, done.err) == (1, f"Error: {text}\n")
    assert printed(folder, "kv", "key", "list", "--binding", "KV") == "[]\n"


@pytest.mark.parametrize(
    ("args", "err"),
    [
        (("put", "a", "--binding", "KV"), "there is no value to write\n  pass VALUE or --path FILE"),
        (("put", "a", "1", "--path", "f", "--binding", "KV"),
         "a value and --path are two ways to say one thing\n  pass VALUE or --path FILE"),
        (("put", "a", "1"),
         "no namespace is named\n  pass --binding NAME, its name in the wrangler file, or --namespace-id ID"),
        (("get", "a", "--binding", "KV", "--namespace-id", "x"),
         "--binding and --namespace-id exclude each other\n"
         "  pass --binding NAME, its name in the wrangler file, or --namespace-id ID"),
        (("get", "a", "--binding", "VK"),
         'KV namespace "VK" is not in the kv_namespaces of wrangler.toml\n  there are KV, BOTH'),
        (("get", "a", "--binding", "BOHT"),
         'KV namespace "BOHT" is not in the kv_namespaces of wrangler.toml\n  did you mean "BOTH"?'),
        (("put", "a", "1", "--binding", "KV", "--metadata", "{a"),
         "--metadata must be valid JSON. Received: {a\n  quote it: --metadata '{\"a\": 1}'"),
        (("put", "a", "1", "--binding", "KV", "--metadata", "[1]"),
         "--metadata must be a JSON object. Received: [1]\n  write --metadata '{\"a\": 1}'"),
        (("get", "a", "--binding", "KV", "--remote"),
         'there is no --remote here: leave it out, or run the command with "npx wrangler" instead'),
    ],
)  # fmt: skip
def test_a_wrong_command_says_what_is_wrong_and_what_to_do(folder: Path, args: tuple[str, ...], err: str) -> None:
    assert call(folder, "kv", "key", *args) == Done(2, "", f"Error: {err}\n")


def test_many_keys_are_written_read_and_deleted(folder: Path) -> None:
    items = [
        {"key": "plain", "value": "v1", "metadata": {"a": 1}},
        {"key": "bytes", "value": "aGk=", "base64": True, "expiration_ttl": 100},
        {"key": "odd", "value": "x", "colour": "red"},
    ]
    (folder / "items.json").write_text(json.dumps(items))
    done = call(folder, "kv", "bulk", "put", "items.json", "--binding", "KV")
    assert done == Done(
        0,
        "Success!\n",
        'Warning: Unexpected key-value properties in "items.json".\n'
        'The item at index 2 contains unexpected properties: ["colour"].\n',
    )
    (folder / "keys.json").write_text('["plain", {"name": "bytes"}, "none"]')
    assert json.loads(printed(folder, "kv", "bulk", "get", "keys.json", "--binding", "KV")) == {
        "plain": {"value": "v1"},
        "bytes": {"value": "hi"},
        "none": {"value": None},
    }
    assert printed(folder, "kv", "bulk", "delete", "keys.json", "--binding", "KV", "--force") == "Success!\n"
    assert json.loads(printed(folder, "kv", "key", "list", "--binding", "KV")) == [{"name": "odd"}]


def test_a_file_of_another_shape_is_refused_whole(folder: Path) -> None:
    (folder / "items.json").write_text('[{"key": "a", "value": "1"}, {"key": "b"}, {"key": "c", "value": 3}]')
    done = call(folder, "kv", "bulk", "put", "items.json", "--binding", "KV")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith('Error: Unexpected JSON input from "items.json".\nEach item in the array should be an')
    assert done.err.endswith('The item at index 1 is {"key":"b"}\nThe item at index 2 is {"key":"c","value":3}\n')
    assert printed(folder, "kv", "key", "list", "--binding", "KV") == "[]\n"
    (folder / "keys.json").write_text('["a", {"key": "b"}]')
    assert call(folder, "kv", "bulk", "get", "keys.json", "--binding", "KV").err == (
        'Error: Unexpected JSON input from "keys.json".\nExpected an array of strings or objects with a "name" key.\n'
        'The item at index 1 is type: "object" - {"key":"b"}\n'
    )
    (folder / "keys.json").write_text('{"a": 1}')
    assert call(folder, "kv", "bulk", "delete", "keys.json", "--binding", "KV").err == (
        'Error: Unexpected JSON input from "keys.json": an array was expected, not object\n  put [ ] around it\n'
    )


def test_an_item_that_the_platform_refuses_is_named_with_what_was_done(folder: Path) -> None:
    (folder / "items.json").write_text('[{"key": "a", "value": "1"}, {"key": "b", "value": "1", "expiration_ttl": 5}]')
    assert call(folder, "kv", "bulk", "put", "items.json", "--binding", "KV") == Done(
        1,
        "",
        'Error: the item at index 1, key "b": KV PUT failed: 400 Invalid expiration_ttl of 5. Expiration TTL must be '
        "at least 60.\n  the 1 before it are done; mend it and run this again\n",
    )


def test_namespaces_are_listed_also_those_that_only_have_data(folder: Path) -> None:
    printed(folder, "kv", "key", "put", "a", "1", "--namespace-id", "else/where")
    assert json.loads(printed(folder, "kv", "namespace", "list")) == [
        {"id": "kv-id", "title": "data-KV", "supports_url_encoding": True},
        {"id": "both-id", "title": "data-BOTH", "supports_url_encoding": True},
        {"id": "both-preview", "title": "data-BOTH_preview", "supports_url_encoding": True},
        {"id": "else/where", "title": "else/where", "supports_url_encoding": True},
    ]


def test_an_id_needs_no_wrangler_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    printed(tmp_path, "kv", "key", "put", "a", "1", "--namespace-id", "x", "--persist-to", "data")
    assert (tmp_path / "data" / "kv" / "x.sqlite").is_file()
    get = ("kv", "key", "get", "a", "--namespace-id", "x")
    assert printed(tmp_path, *get, "--cwd", "data", "--persist-to", ".") == "1"


def test_the_running_server_and_the_command_see_the_same_data(folder: Path, start_dev: StartDev) -> None:
    dev = start_dev(folder=folder)
    assert dev.client.put("/a", content="of the server").json() == {"value": "of the server", "metadata": None}
    assert run_command(folder, "kv", "key", "get", "a", "--binding", "KV").stdout == "of the server"
    done = run_command(folder, "kv", "key", "put", "a", "of the command", "--binding", "KV", "--metadata", '{"m": 1}')
    assert (done.returncode, done.stderr) == (0, "")
    assert dev.get("/a").json() == {"value": "of the command", "metadata": {"m": 1}}
    run_command(folder, "kv", "key", "delete", "a", "--binding", "KV")
    assert dev.get("/a").json() == {"value": None, "metadata": None}


def test_a_reader_that_goes_ends_the_command_quietly(folder: Path) -> None:
    (folder / "items.json").write_text(json.dumps([{"key": f"{n:04}" * 100, "value": "x"} for n in range(2_000)]))
    printed(folder, "kv", "bulk", "put", "items.json", "--binding", "KV")
    done = subprocess.run(
        f"{COMMAND} kv key list --binding KV | head -n 2",
        shell=True, cwd=folder, env=clean_environ(), capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[\n  {\n", "")
