"""``pyworkers r2``: objects as files and pipes, on the data of a running server."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from cli_call import CONFIG, Done, call, printed
from dev_process import COMMAND, HANG_S, StartDev, clean_environ, run_command

WORKER = """
from workers import Response

async def fetch(request, env):
    key = request.url.rpartition("/")[2]
    if request.method == "PUT":
        await env.BUCKET.put(key, await request.text())
    found = await env.BUCKET.get(key)
    if found is None:
        return Response("none", status=404)
    return Response.json({"text": await found.text(), "type": found.httpMetadata.contentType})
"""
LARGE = bytes(range(256)) * 12_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(WORKER)
    (tmp_path / "large.bin").write_bytes(LARGE)
    (tmp_path / "small.txt").write_text("small")
    return tmp_path


def pipe(folder: Path, *args: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [COMMAND, *args], cwd=folder, env=clean_environ(), input=data, capture_output=True, timeout=HANG_S, check=False
    )


def put(folder: Path, path: str, file: str, *args: str) -> None:
    key = path.partition("/")[2]
    assert printed(folder, "r2", "object", "put", path, "--file", file, *args) == (
        f'Creating object "{key}" in bucket "bucket".\nUpload complete.\n'
    )


def objects(folder: Path, *args: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(printed(folder, "r2", "object", "list", "bucket", "--json", *args))[
        "objects"
    ]
    return found


@pytest.mark.parametrize("name", ["large.bin", "small.txt"])
def test_a_file_is_stored_and_fetched(folder: Path, name: str) -> None:
    put(folder, "bucket/a/b.bin", name)
    out = printed(folder, "r2", "object", "get", "bucket/a/b.bin", "--file", "back.bin", "--local")
    assert out == 'Downloading "a/b.bin" from "bucket".\nDownload complete.\n'
    assert (folder / "back.bin").read_bytes() == (folder / name).read_bytes()
    # Without --file the key is the file's name.
    printed(folder, "r2", "object", "get", "bucket/a/b.bin")
    assert (folder / "a" / "b.bin").read_bytes() == (folder / name).read_bytes()
    assert not list(folder.rglob("*.part"))


def test_pipes_carry_any_bytes_both_ways(folder: Path) -> None:
    done = pipe(folder, "r2", "object", "put", "bucket/piped", "--pipe", data=LARGE)
    assert (done.returncode, done.stderr) == (0, b"")
    done = pipe(folder, "r2", "object", "get", "bucket/piped", "--pipe")
    assert (done.returncode, done.stdout, done.stderr) == (0, LARGE, b"")


def test_what_is_said_about_an_object_is_kept(folder: Path) -> None:
    put(
        folder, "bucket/page", "small.txt",
        "--content-type", "text/html", "--cd", "inline", "--content-encoding=gzip", "--cl", "en",
        "--cache-control", "max-age=60", "--expires", "Wed, 21 Oct 2026 07:28:00 GMT", "-s", "InfrequentAccess",
        "--force", "-J", "eu",
    )  # fmt: skip
    [found] = objects(folder)
    assert len(str(found.pop("version"))) == 32
    assert str(found.pop("uploaded")).endswith("Z")
    assert found == {
        "key": "page",
        "size": 5,
        "etag": hashlib.md5(b"small").hexdigest(),
        "http_metadata": {
            "content_type": "text/html",
            "content_disposition": "inline",
            "content_encoding": "gzip",
            "content_language": "en",
            "cache_control": "max-age=60",
            "cache_expiry": "2026-10-21T07:28:00.000Z",
        },
        "custom_metadata": {},
        "storage_class": "InfrequentAccess",
    }
    assert call(folder, "r2", "object", "put", "bucket/x", "--file", "small.txt", "--expires", "soon") == Done(
        2,
        "",
        'Error: --expires "soon" is no date\n  write it as "Wed, 21 Oct 2026 07:28:00 GMT" or 2026-10-21T07:28:00Z\n',
    )


def test_objects_are_listed_by_prefix_folder_and_number(folder: Path) -> None:
    for key in ("a/1", "a/2", "b/1", "c"):
        put(folder, f"bucket/{key}", "small.txt")
    assert [found["key"] for found in objects(folder)] == ["a/1", "a/2", "b/1", "c"]
    assert [found["key"] for found in objects(folder, "--prefix", "a/")] == ["a/1", "a/2"]
    assert [found["key"] for found in objects(folder, "--limit", "3")] == ["a/1", "a/2", "b/1"]
    listing = json.loads(printed(folder, "r2", "object", "list", "bucket", "--delimiter", "/", "--json"))
    assert (listing["delimitedPrefixes"], [found["key"] for found in listing["objects"]]) == (["a/", "b/"], ["c"])
    shown = printed(folder, "r2", "object", "list", "bucket", "--delimiter", "/").splitlines()
    assert [line.split()[1] for line in shown if line.startswith("│")] == ["key", "a/", "b/", "c"]
    assert call(folder, "r2", "object", "list", "bucket", "--prefix", "zz") == Done(
        0, "", 'There are no such objects in bucket "bucket".\n'
    )


def test_an_object_is_deleted_and_need_not_be_there(folder: Path) -> None:
    put(folder, "bucket/a", "small.txt")
    for _ in range(2):
        assert printed(folder, "r2", "object", "delete", "bucket/a") == (
            'Deleting object "a" from bucket "bucket".\nDelete complete.\n'
        )
    assert objects(folder) == []


def test_an_object_that_is_not_there_leaves_no_file(folder: Path) -> None:
    put(folder, "bucket/a", "small.txt")
    assert call(folder, "r2", "object", "get", "bucket/none", "--file", "none.txt") == Done(
        1,
        'Downloading "none" from "bucket".\n',
        "Error: The specified key does not exist.\n  pyworkers r2 object list bucket lists the keys\n",
    )
    assert not (folder / "none.txt").exists()


@pytest.mark.parametrize(
    ("args", "err"),
    [
        (("put", "bucket"), "The object path must be in the form of {bucket}/{key} you provided bucket\n"
         "  write it as my-bucket/my-key"),
        (("put", "bucket/x"), "there is nothing to store\n  pass --file FILE or --pipe"),
        (("put", "bucket/x", "--file", "f", "--pipe"),
         "--file and --pipe exclude each other\n  pass --file FILE or --pipe"),
        (("put", "bucket/x", "--file", "f"), 'The file "f" cannot be read: No such file or directory\n  check --file'),
        (("get", "buckt/x", "--pipe"), 'R2 bucket "buckt" is not in the r2_buckets of wrangler.toml\n'
         '  did you mean "bucket"?'),
        (("get", "bucket/../x"), 'the key "../x" is no name for a file here\n  pass --file FILE'),
        (("get", "bucket/x", "--remote"),
         'there is no --remote here: leave it out, or run the command with "npx wrangler" instead'),
    ],
)  # fmt: skip
def test_a_wrong_command_says_what_is_wrong_and_what_to_do(folder: Path, args: tuple[str, ...], err: str) -> None:
    assert call(folder, "r2", "object", *args) == Done(2, "", f"Error: {err}\n")


def test_a_key_that_the_platform_refuses_is_refused(folder: Path) -> None:
    done = call(folder, "r2", "object", "put", f"bucket/{'k' * 1025}", "--file", "small.txt")
    assert (done.status, done.err) == (1, "Error: put: The specified object name is not valid. (10020)\n")


def test_buckets_are_listed_also_those_that_only_have_data(folder: Path) -> None:
    done = call(folder, "r2", "object", "put", "other/x", "--file", "small.txt")
    assert (done.status, done.err) == (0, 'Warning: no worker binds the bucket "other"\n  there are bucket\n')
    listed = json.loads(printed(folder, "r2", "bucket", "list", "--json"))
    assert [(row["name"], row["binding"], row["creation_date"] is None) for row in listed] == [
        ("bucket", "BUCKET", True),
        ("other", None, False),
    ]
    shown = call(folder, "r2", "bucket", "list")
    assert shown.out.startswith(
        "name:           bucket\ncreation_date:\nbinding:        BUCKET\n\nname:           other\n"
    )


def test_the_running_server_and_the_command_see_the_same_data(folder: Path, start_dev: StartDev) -> None:
    dev = start_dev(folder=folder)
    assert dev.client.put("/a", content="of the server").json() == {"text": "of the server", "type": None}
    assert run_command(folder, "r2", "object", "get", "bucket/a", "--pipe").stdout == "of the server"
    (folder / "small.txt").write_text("of the command")
    done = run_command(folder, "r2", "object", "put", "bucket/a", "--file", "small.txt", "--ct", "text/plain")
    assert (done.returncode, done.stderr) == (0, "")
    assert dev.get("/a").json() == {"text": "of the command", "type": "text/plain"}
    # What the command stores in files of their own, the server neither sweeps nor misses.
    (folder / "large.txt").write_text("large " * 10_000)
    run_command(folder, "r2", "object", "put", "bucket/b", "--file", "large.txt")
    assert dev.get("/b").json() == {"text": "large " * 10_000, "type": None}
    run_command(folder, "r2", "object", "delete", "bucket/b")
    assert dev.get("/b").status_code == 404
