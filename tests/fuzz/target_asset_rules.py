"""``_headers``, ``_redirects`` and what they match."""

from __future__ import annotations

from typing import Final

from fuzz_source import Source

from pyworkers.bindings.assets.rules import parse_headers, parse_redirects

_WORDS: Final = (
    *(b"/a", b"/*", b"/:name", b":x", b"*", b"\n", b"\r\n", b"  ", b" ", b": ", b"! ", b"#", b"https://", b"http://"),
    *(
        b"host.example",
        b":8080",
        b"/index.html",
        b"/index",
        b"200",
        b"302",
        b"301",
        b"404",
        b"x-header",
        b"value",
        b"%zz",
    ),
    *(b"//", b"?q=1", b"#f", b"\t", b".", b"..", b"[", b"\\", b"\xc3\xa9", b"https://:sub.example/*", b"xn--", b"\x00"),
)
_PATHS: Final = ("/", "/a", "/a/b", "/index.html", "//x", "/%zz", "/é", "/a\n")


def fuzz(source: Source) -> None:
    """What can be read matches or does not; what cannot be read is told."""
    text = source.mixture(_WORDS).decode("utf-8", "replace")
    rules, problems = parse_headers(text)
    redirects = parse_redirects(text, handles_html=source.is_true())
    for path in (*_PATHS, text[:40]):
        for rule in rules:
            assert rule.pattern.match("host.example", path) is None or rule.set or rule.unset
        found = redirects.match("host.example", path)
        assert found is None or found[1] in (200, 301, 302, 303, 307, 308)
    assert all(isinstance(problem, str) and problem for problem in (*problems, *redirects.problems))
    for path, redirect in (*redirects.static.items(), *redirects.dynamic.items()):
        assert path.startswith("/"), path
        assert redirect.to.startswith(("/", "https://")), redirect.to
        assert "None" in text or "None" not in redirect.to, redirect.to
    assert "None" in text or not any("None" in problem for problem in problems), problems
