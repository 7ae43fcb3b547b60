"""Answers requests with a worker's static assets.

Source: developers.cloudflare.com/workers/static-assets; workers-sdk packages/workers-shared (asset-worker,
router-worker); recorded, contracts/assets
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from pyworkers.bindings.assets.html import HtmlHandling, NotFoundHandling, Redirect, Resolver, Serve
from pyworkers.bindings.assets.rules import HeaderRule, Redirects, fill, matches_glob, parse_headers, parse_redirects
from pyworkers.engines.assets.directory import HEADERS_FILE, REDIRECTS_FILE, AssetDirectory, Version
from pyworkers.js.global_functions import decodeURIComponent, encodeURIComponent
from pyworkers.js.headers import Headers
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.url import parse_url
from pyworkers.js.values import JsException
from pyworkers.js.webidl import utf8

CACHE_CONTROL: Final = b"public, max-age=0, must-revalidate"

_log = logging.getLogger("pyworkers.assets")


class AssetSite:
    """The assets of one worker.

    Args:
        directory: the files.
        html_handling: see `pyworkers.bindings.assets.html`.
        not_found_handling: as well.
        base_path: what every asset's URL starts with, such as ``/docs/``; ``/`` is nothing.
        worker_first: True: the worker answers everything; patterns: what it answers before the assets, with a ``!`` in
            front what it does not.
        has_worker: whether there is a worker beside the assets.
        prefers_assets: whether a browser's navigation is answered by ``not_found_handling`` before the worker.
    """

    def __init__(
        self,
        directory: AssetDirectory,
        *,
        html_handling: HtmlHandling = "auto-trailing-slash",
        not_found_handling: NotFoundHandling = "none",
        base_path: str = "/",
        worker_first: bool | Sequence[str] = False,
        has_worker: bool = True,
        prefers_assets: bool = False,
    ) -> None:
        self._directory = directory
        self._found = Resolver(directory.exists, html_handling, "none")
        self._any = Resolver(directory.exists, html_handling, not_found_handling)
        self._handles_html = html_handling != "none"
        self._base = base_path
        self._worker_first = worker_first
        self._has_worker = has_worker
        self._prefers_assets = prefers_assets
        self._headers: list[HeaderRule] = []
        self._redirects = Redirects()
        self._versions: dict[str, Version | None] = {}

    def route(self, request: Request) -> Response | None:
        """Answer a request that has come for the worker; None: the worker has to."""
        if self._has_worker and not self._takes(request):
            return None
        return self.respond(request)

    def respond(self, request: Request) -> Response:
        """Answer a request, 404 where there is nothing."""
        response = self._answer(request, self._any)
        if response is None:
            response = _empty(404)
        return self._with_custom_headers(request, response)

    # ---- assets or worker

    def _takes(self, request: Request) -> bool:
        if self._worker_first is True:
            return False
        if self._worker_first:
            path = _path(request.url)
            rules = self._worker_first
            if matches_glob([rule[1:] for rule in rules if rule.startswith("!")], path):
                return True
            if matches_glob([rule for rule in rules if not rule.startswith("!")], path):
                return False
        # Patterns say all that is the worker's: what they leave, not_found_handling answers.
        is_assets = bool(self._worker_first) or (
            self._prefers_assets and request.headers.find("sec-fetch-mode") == "navigate"
        )
        return self._answer(request, self._any if is_assets else self._found, only_asks=True) is not None

    # ---- answers

    def _answer(self, request: Request, resolver: Resolver, *, only_asks: bool = False) -> Response | None:
        """Return the answer without custom headers; None where nothing answers.

        Args:
            only_asks: the answer's body is not needed.
        """
        url = parse_url(request.url)
        if url is None:
            return None
        path, proxied = str(url.pathname), False
        self._read_redirects()
        redirect = self._redirects.match(url.hostname, path)
        if redirect is not None:
            target, status = redirect
            if status != 200:
                return _redirect_to(target, request.url, status)
            leads_to = parse_url(target, request.url)
            path, proxied = path if leads_to is None else str(leads_to.pathname), True
        decoded = _decode(path)
        inner = self._strip(decoded)
        intent = None if inner is None else resolver.resolve(inner)
        if intent is None:
            return _empty(404) if proxied else None
        if request.method not in ("GET", "HEAD"):
            return _empty(405)
        # An asset is served at its path in canonical form only.
        canonical = _encode(self._base[:-1] + intent.path if isinstance(intent, Redirect) else decoded)
        if isinstance(intent, Redirect) or canonical != path:
            return _empty(307, location=canonical + url.search)
        return _empty(200) if only_asks else self._serve(request, intent)

    def _serve(self, request: Request, intent: Serve) -> Response | None:
        asset = self._directory.open(intent.path)
        if asset is None:
            return None
        raw = [(b"etag", f'"{asset.etag}"'.encode()), (b"cf-cache-status", b"HIT")]
        if asset.content_type is not None:
            raw.append((b"content-type", asset.content_type.encode()))
        asked = request.headers
        if asked.find("authorization") is None and asked.find("range") is None:
            raw.append((b"cache-control", CACHE_CONTROL))
        headers = Headers(raw)
        if asked.find("if-none-match") in (f'"{asset.etag}"', f'W/"{asset.etag}"'):
            return Response(status=304, headers=headers)
        if request.method == "HEAD":
            return Response(status=intent.status, headers=headers)
        body = asset.body()
        if not isinstance(body, bytes):
            body = ReadableStream.of_async_iterator(body, length=asset.size)
        return Response(body, status=intent.status, headers=headers)

    def _with_custom_headers(self, request: Request, response: Response) -> Response:
        self._read_headers()
        url = parse_url(request.url)
        if url is None or not self._headers:
            return response
        given: set[str] = set()
        for rule in self._headers:
            values = rule.pattern.match(url.hostname, url.pathname)
            if values is None:
                continue
            for name in rule.unset:
                response.headers.delete(name)
            for name, text in rule.set.items():
                value = fill(text, values)
                if name in given:
                    response.headers.append(name, value)
                else:
                    response.headers.set(name, value)
                    given.add(name)
        return response

    def _strip(self, path: str) -> str | None:
        """Return a path below the base path; None for one that is not below it."""
        if self._base == "/":
            return path
        if path != self._base[:-1] and not path.startswith(self._base):
            return None
        return path[len(self._base) - 1 :] or "/"

    # ---- files of rules

    def _read_headers(self) -> None:
        if self._is_new(HEADERS_FILE):
            self._headers, problems = parse_headers(self._text(HEADERS_FILE))
            _warn(HEADERS_FILE, problems)

    def _read_redirects(self) -> None:
        if self._is_new(REDIRECTS_FILE):
            self._redirects = parse_redirects(self._text(REDIRECTS_FILE), handles_html=self._handles_html)
            _warn(REDIRECTS_FILE, self._redirects.problems)

    def _is_new(self, name: str) -> bool:
        return self._versions.get(name) != self._directory.version_of(name)

    def _text(self, name: str) -> str:
        self._versions[name], text = self._directory.read_rules(name)
        return text


def _warn(name: str, problems: Sequence[str]) -> None:
    for problem in problems:
        _log.warning("%s: %s", name, problem)


def _redirect_to(target: str, url: str, status: int) -> Response | None:
    destination, source = parse_url(target, url), parse_url(url)
    if destination is None or source is None:
        return None
    search = destination.search or source.search
    if destination.origin == source.origin:
        return _empty(status, location=f"{destination.pathname}{search}{destination.hash}")
    place = destination.href.removesuffix(destination.hash).removesuffix(destination.search)
    return _empty(status, location=f"{place}{search}{destination.hash}")


def _empty(status: int, *, location: str | None = None) -> Response:
    headers = Headers() if location is None else Headers([(b"location", utf8(location))])
    return Response(status=status, headers=headers)


def _path(url: str) -> str:
    parsed = parse_url(url)
    return "" if parsed is None else str(parsed.pathname)


def _decode(path: str) -> str:
    """Decode each segment where it can be decoded; several slashes become one."""
    decoded = "/".join(map(_decoded_segment, path.split("/")))
    while "//" in decoded:
        decoded = decoded.replace("//", "/")
    return decoded


def _decoded_segment(segment: str) -> str:
    if "%" not in segment:
        return segment
    try:
        return decodeURIComponent(segment)
    except JsException:
        return segment


def _encode(path: str) -> str:
    return "/".join(map(encodeURIComponent, path.split("/")))
