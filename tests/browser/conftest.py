"""Fixtures: the application as a server, and pages of headless Chromium that show it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "clients"))

from application_server import HANG_S, Application, running_application

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Chromium looks for its maker's servers at every start; these tests have no network but loopback.
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
OpenPage = Callable[..., "Page"]


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The application, for all tests of the session."""
    with running_application(tmp_path_factory.mktemp("browser") / "project") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. It ends with the module: while it runs, this thread has an event loop, and could run no other."""
    try:
        from playwright.sync_api import Error, expect, sync_playwright
    except ImportError:
        pytest.skip("playwright is not installed")
    expect.set_options(timeout=HANG_S * 1000)
    installed = next((path for path in map(shutil.which, NAMES) if path), None)
    with ExitStack() as stack:
        chromium = stack.enter_context(sync_playwright()).chromium
        try:
            browser = chromium.launch(executable_path=installed, args=list(ARGUMENTS), chromium_sandbox=False)
        except Error as error:
            pytest.skip(f"Chromium is not installed (Debian: chromium): {error.message.splitlines()[0]}")
        stack.callback(browser.close)
        yield browser


@pytest.fixture
def open_page(application: Application, browser: Browser) -> Iterator[OpenPage]:
    """Open the page: ``open_page("phone", scheme="dark")``.

    Afterwards nothing may have gone wrong on it: no error in its console, no request elsewhere, no request that failed,
    unless the test says ``may_fail=True``.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_one(size: str = "desktop", *, scheme: str = "light", may_fail: bool = False, ready: bool = True) -> Page:
        context = browser.new_context(color_scheme=scheme, reduced_motion="reduce", **SIZES[size])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(HANG_S * 1000)
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("request", lambda request: problems.extend(_elsewhere(request, application.url)))
        if not may_fail:
            page.on("console", lambda message: problems.extend(_complaint(message)))
            page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}: {request.failure}"))
        if ready:
            page.goto(application.url)
            page.get_by_role("button", name="Healthy").wait_for()
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert problems == []


def _elsewhere(request: Request, url: str) -> list[str]:
    return [] if request.url.startswith((url, "data:")) else [f"request to {request.url}"]


def _complaint(message: Any) -> list[str]:
    return [f"console: {message.text}"] if message.type in ("error", "warning") else []
