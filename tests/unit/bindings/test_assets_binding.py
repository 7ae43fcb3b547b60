"""Static assets beyond the recordings: rule files, ignored files, what never leaves the folder, saved files."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from pyworkers.bindings.assets import AssetsFetcher, AssetSite
from pyworkers.bindings.assets.rules import Pattern, parse_headers, parse_redirects
from pyworkers.engines.assets import AssetDirectory
from pyworkers.engines.assets.content_types import content_type
from pyworkers.engines.assets.directory import SMALL_BYTES
from pyworkers.engines.files import PIECE_BYTES
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsObject


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        write(folder, name, text)


def write(folder: Path, name: str, text: str = "x") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def site(folder: Path, **options: Any) -> AssetSite:
    return AssetSite(AssetDirectory(folder), **options)


def get(path: str, method: str = "GET", **headers: str) -> Any:
    fields = JsObject({name.replace("_", "-"): value for name, value in headers.items()})
    return Request.js_new(f"https://example.com{path}", JsObject({"method": method, "headers": fields}))


def answer(response: Response) -> tuple[int, str]:
    """Return status, and the body or where it leads."""
    location = response.location()
    return response.status, location if location is not None else asyncio.run(_text(response))


async def _text(response: Response) -> str:
    return str(await response.text())


# ---- files


def test_a_saved_a_new_and_a_removed_file_are_seen_by_the_next_request(tmp_path: Path) -> None:
    assets = site(tmp_path)
    assert answer(assets.respond(get("/a.txt"))) == (404, "")
    file = write(tmp_path, "a.txt", "one")
    first = assets.respond(get("/a.txt"))
    etag = first.headers.find("etag") or ""
    assert answer(first) == (200, "one")
    assert assets.respond(get("/a.txt", if_none_match=etag)).status == 304
    file.write_text("two!")
    assert answer(assets.respond(get("/a.txt", if_none_match=etag))) == (200, "two!")
    file.unlink()
    assert answer(assets.respond(get("/a.txt"))) == (404, "")


def test_a_file_of_the_same_size_has_another_etag_after_it_was_saved(tmp_path: Path) -> None:
    file = write(tmp_path, "a.txt", "one")
    assets = site(tmp_path)
    before = assets.respond(get("/a.txt")).headers.find("etag")
    file.write_text("two")
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert assets.respond(get("/a.txt")).headers.find("etag") != before


@pytest.mark.parametrize("size", [0, SMALL_BYTES, SMALL_BYTES + 1, PIECE_BYTES * 2 + 1])
def test_a_body_of_any_size_comes_whole(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    (tmp_path / "x.bin").write_bytes(data)
    response = site(tmp_path).respond(get("/x.bin"))
    assert response.body_length == size

    async def read() -> bytes:
        return bytes((await response.bytes()).to_bytes())

    assert asyncio.run(read()) == data


def test_a_large_body_is_read_to_its_end_though_the_file_is_replaced(tmp_path: Path) -> None:
    data = os.urandom(SMALL_BYTES + 1)
    (tmp_path / "x.bin").write_bytes(data)
    response = site(tmp_path).respond(get("/x.bin"))
    write(tmp_path, "new.bin", "new").replace(tmp_path / "x.bin")

    async def read() -> bytes:
        return bytes((await response.bytes()).to_bytes())

    assert asyncio.run(read()) == data


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/a/..%2f..%2fsecret.txt", "/%00", "/a%00.txt", "//"],
)
def test_nothing_outside_of_the_folder_is_served(path: str, tmp_path: Path) -> None:
    write(tmp_path, "secret.txt", "secret")
    write(tmp_path, "public/a/b.txt")
    assert answer(site(tmp_path / "public").respond(get(path)))[1] in ("", "/secret.txt")
    assert site(tmp_path / "public").respond(get(path)).status in (307, 404)


def test_rule_files_and_what_assetsignore_names_are_no_assets(tmp_path: Path) -> None:
    put(tmp_path, **{".assetsignore": "*.map\n/private/\n!keep.map\n", "_headers": "", "_redirects": ""})
    put(
        tmp_path,
        **{"a.map": "x", "keep.map": "x", "private/a.txt": "x", "deep/private/a.txt": "x", "deep/_headers": "x"},
    )
    assets = site(tmp_path)
    found = {
        path: assets.respond(get(path)).status
        for path in ("/.assetsignore", "/_headers", "/_redirects", "/a.map", "/private/a.txt")
    }
    assert found == dict.fromkeys(found, 404)
    assert [assets.respond(get(path)).status for path in ("/keep.map", "/deep/private/a.txt", "/deep/_headers")] == [
        200,
        200,
        200,
    ]
    write(tmp_path, ".assetsignore", "keep.map\n\n")
    assert [assets.respond(get(path)).status for path in ("/keep.map", "/a.map")] == [404, 200]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.HTML", "text/html; charset=utf-8"),
        ("a.ico", "image/vnd.microsoft.icon"),
        ("a.svg", "image/svg+xml"),
        ("a.tar.gz", "application/gzip"),
        ("a.unknownext", None),
        ("html", None),
        (".html", None),
    ],
)
def test_content_types_go_by_the_extension(name: str, expected: str | None) -> None:
    assert content_type(name) == expected


# ---- requests


def test_a_range_is_answered_with_the_whole_file_that_is_not_to_be_kept(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "0123456789")
    response = site(tmp_path).respond(get("/a.txt", range="bytes=0-1"))
    assert (response.status, response.headers.find("cache-control")) == (200, None)
    assert answer(response) == (200, "0123456789")


@pytest.mark.parametrize(
    ("handling", "navigates", "expected"),
    [("none", True, None), ("single-page-application", False, None), ("single-page-application", True, (200, "app"))],
)
def test_a_navigation_prefers_the_page_for_what_is_not_found(
    handling: Any, navigates: bool, expected: tuple[int, str] | None, tmp_path: Path
) -> None:
    write(tmp_path, "index.html", "app")
    assets = site(tmp_path, not_found_handling=handling, prefers_assets=True)
    headers = {"sec_fetch_mode": "navigate"} if navigates else {}
    found = assets.route(get("/deep/link", **headers))
    assert (None if found is None else answer(found)) == expected


@pytest.mark.parametrize(
    ("path", "goes_to_worker"),
    [("/api/x", True), ("/api/skip.txt", False), ("/file.txt", True), ("/other.txt", False), ("/missing", True)],
)
def test_patterns_of_run_worker_first(path: str, goes_to_worker: bool, tmp_path: Path) -> None:
    put(tmp_path, **{"api/x": "x", "api/skip.txt": "x", "file.txt": "x", "other.txt": "x"})
    assets = site(tmp_path, worker_first=("/api/*", "!/api/skip*", "/file.txt"))
    assert (assets.route(get(path)) is None) == goes_to_worker


def test_what_is_excluded_from_the_worker_is_404_where_there_is_no_asset(tmp_path: Path) -> None:
    found = site(tmp_path, worker_first=("/api/*", "!/api/static/*")).route(get("/api/static/x"))
    assert found is not None
    assert answer(found) == (404, "")


def test_a_base_path_stands_before_every_asset(tmp_path: Path) -> None:
    put(tmp_path, **{"index.html": "home", "about.html": "about"})
    assets = site(tmp_path, base_path="/docs/")
    paths = ("/docs/", "/docs", "/docs/about", "/docs/about.html", "/about", "/docsx/about")
    assert [answer(assets.respond(get(path))) for path in paths] == [
        (200, "home"),
        (200, "home"),
        (200, "about"),
        (307, "/docs/about"),
        (404, ""),
        (404, ""),
    ]


def test_the_binding_follows_redirects_as_fetch_does(tmp_path: Path) -> None:
    write(tmp_path, "about.html", "about")
    assets = AssetsFetcher(site(tmp_path))

    async def main() -> None:
        found = await assets.fetch("https://any.host/about.html")
        assert (found.status, found.url, found.redirected) == (200, "https://any.host/about", True)
        assert await found.text() == "about"

    asyncio.run(main())


# ---- rules


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("/a/*", "/a/b/c", {"splat": "b/c"}),
        ("/a/*", "/a", None),
        ("/:x/:y_2", "/one/two", {"x": "one", "y_2": "two"}),
        ("/:x", "/one/two", None),
        ("/a.b", "/axb", None),
        ("https://example.com/*", "/z", {"splat": "z"}),
        ("https://:sub.com/:file", "/z", {"sub": "example", "file": "z"}),
        ("https://other.com/*", "/z", None),
    ],
)
def test_what_a_pattern_matches(rule: str, path: str, expected: dict[str, str] | None) -> None:
    pattern = Pattern.compile(rule)
    assert pattern is not None
    assert pattern.match("example.com", path) == expected


def test_a_pattern_that_names_one_placeholder_twice_matches_nothing() -> None:
    assert Pattern.compile("/:a/:a") is None


def test_headers_are_set_added_to_and_removed_in_the_order_of_the_rules(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    rules = "/*\n  X-One: 1\n  Cache-Control: no-store\n/a.txt\n  X-One: 2\n  ! Content-Type\n/b\n  X-B: b\n"
    write(tmp_path, "_headers", rules)
    assets = site(tmp_path)
    headers = assets.respond(get("/a.txt")).headers
    found = [headers.find(name) for name in ("x-one", "cache-control", "content-type", "x-b")]
    assert found == ["1, 2", "no-store", None, None]
    write(tmp_path, "_headers", "/a.txt\n  X-One: new\n")
    assert assets.respond(get("/a.txt")).headers.find("x-one") == "new"


def test_what_is_wrong_in_a_headers_file_is_told_and_left_out() -> None:
    text = "\n".join(
        [
            "X-Early: 1",
            "no colon",
            "/a",
            "  X Space: 1",
            "  : 1",
            "  X-Empty:",
            "  nonsense",
            "http://a.b/",
            "  X-Lost: 1",
            "https://a.b:80/",
            "/empty",
            "/good",
            "  X-Good: a:b",
            "/" + "x" * 2000,
        ]
    )
    rules, problems = parse_headers(text)
    assert [(rule.set, rule.unset) for rule in rules] == [({"x-good": "a:b"}, [])]
    assert problems == [
        "Ignoring line 14 as it exceeds the maximum allowed length of 2000.",
        "1: Path should come before header (x-early: 1)",
        "2: Expected a path beginning with at least one forward-slash",
        "4: Header name cannot include spaces",
        "5: No header name specified",
        "6: No header value specified",
        "7: Expected a colon-separated header pair (e.g. name: value)",
        "8: URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS (e.g. begin with "
        '"https://").',
        "9: Path should come before header (x-lost: 1)",
        "10: Specifying ports is not supported. Skipping absolute URL https://a.b:80/.",
        "/a: No headers specified",
        "/empty: No headers specified",
    ]


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("/a /b", "/a", ("/b", 302)),
        ("/a /b 301 # why", "/a", ("/b", 301)),
        ("a b", "/a", None),
        ("a /b", "/a", ("/b", 302)),
        ("/x/* /y/:splat", "/x/1/2", ("/y/1/2", 302)),
        ("/x/:id /y?id=:id&z=:no", "/x/5", ("/y?id=5&z=:no", 302)),
        ("/x/* //evil.com/:splat", "/x/1", ("/evil.com/1", 302)),
        ("/x/* https://other.com/a//:splat", "/x/1", ("https://other.com/a//1", 302)),
        ("/* /index.html 200", "/x", None),
        ("/ /index.html", "/", None),
        ("/a https://b.com/ 200", "/a", None),
        ("https://h.com/a /b", "/a", None),
        ("/a", "/a", None),
        ("/a /b 302 x", "/a", None),
        ("/a /b 304", "/a", None),
    ],
)
def test_what_a_line_of_redirects_does(line: str, path: str, expected: tuple[str, int] | None) -> None:
    redirects = parse_redirects(line, handles_html=True)
    assert redirects.match("example.com", path) == expected
    assert bool(redirects.problems) == (expected is None)


def test_static_redirects_go_before_dynamic_ones_and_the_first_of_a_path_counts() -> None:
    redirects = parse_redirects("/a /first\n/a /second\n/* /any\n/b /late\n", handles_html=True)
    assert [redirects.match("h", path) for path in ("/a", "/b")] == [("/first", 302), ("/any", 302)]
    assert redirects.problems == ["2: Ignoring duplicate rule for path /a."]


def test_wrong_rules_are_logged_once_per_version_of_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "_redirects", "/a\n")
    assets = site(tmp_path)
    with caplog.at_level(logging.WARNING, "pyworkers.assets"):
        for _ in range(3):
            assets.respond(get("/x"))
    assert caplog.messages == ["_redirects: 1: Expected exactly 2 or 3 whitespace-separated tokens. Got 1."]
