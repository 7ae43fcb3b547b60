"""The demo page in headless Chromium: chat, events, dashboard, key; by keyboard, on a phone, in the dark."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import httpx
import pytest
from application_server import HANG_S

from pyworkers.runtime.metrics import Metrics
from pyworkers.server.metrics import render_metrics

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
BROWSERS_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SIZES = pytest.mark.parametrize("size", ["desktop", "phone"])
METRICS = "**/cdn-cgi/metrics"


def say(page, text):
    """Send a message and wait for the answer's end."""
    before = page.locator(".message.assistant").count()
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).first.click()
    answer = page.locator(".message.assistant").nth(before)
    expect(answer).not_to_have_attribute("aria-busy", "true")
    return answer


# ---- what is served


def test_browsers_get_the_page_and_programs_json(application):
    with httpx.Client(base_url=application.url, trust_env=False, timeout=HANG_S) as client:
        page = client.get("/", headers={"accept": BROWSERS_ACCEPT})
        programs = [
            client.get("/", headers={"accept": accept}) for accept in ("*/*", "application/json", "text/html;q=0")
        ]
        script = client.get("/demo/main.js")
    assert (page.status_code, page.headers["content-type"], page.headers["vary"]) == (
        200,
        "text/html; charset=utf-8",
        "Accept",
    )
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "<title>Inference UI</title>" in page.text
    for answer in programs:
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["name"] == "Inference UI API"
    assert script.headers["content-type"].startswith("text/javascript")


def test_page_is_asked_for_again_by_its_etag(application):
    with httpx.Client(
        base_url=application.url, trust_env=False, timeout=HANG_S, headers={"accept": BROWSERS_ACCEPT}
    ) as client:
        etag = client.get("/").headers["etag"]
        again = client.get("/", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")


# ---- chat


@SIZES
def test_chat_streams_an_answer(open_page, size):
    page = open_page(size)
    answer = say(page, "Say hello.")
    expect(answer.locator(".text")).to_have_text(re.compile(r"\S"))
    expect(answer.locator(".note")).to_have_text(re.compile(r"^first token \d.* · \d+ tokens"))
    expect(page.locator(".message.user .text")).to_have_text("Say hello.")


def test_chat_sends_the_whole_conversation(open_page):
    page = open_page()
    first = say(page, "Say hello.").locator(".text").inner_text()
    with page.expect_request("**/stream/chat") as asked:
        say(page, "And again.")
    body = json.loads(asked.value.post_data)
    assert [(message["role"], message["parts"]) for message in body["messages"]] == [
        ("user", [{"type": "text", "text": "Say hello."}]),
        ("assistant", [{"type": "text", "text": first}]),
        ("user", [{"type": "text", "text": "And again."}]),
    ]


def test_chat_can_be_stopped_and_started_anew(open_page):
    page = open_page(may_fail=True)
    page.route("**/stream/chat", lambda route: None)  # never answered
    page.get_by_label("Message", exact=True).fill("Say hello.")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".message.assistant .note")).to_have_text("Stopped")
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".message")).to_have_count(0)
    page.unroute("**/stream/chat")
    page.get_by_role("button", name="Say hello.").click()
    expect(page.locator(".message.assistant .note")).to_have_text(re.compile("^first token"))


def test_refused_message_can_be_tried_again(open_page):
    page = open_page(may_fail=True)
    refusal = {"status": 429, "json": {"error": "Too many requests"}, "headers": {"retry-after": "7"}}
    page.route("**/stream/chat", lambda route: route.fulfill(**refusal))
    say(page, "Say hello.")
    expect(page.get_by_role("alert")).to_contain_text("Too many requests Try again in 7 s.")
    page.unroute("**/stream/chat")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".message.assistant .note")).to_have_text(re.compile("^first token"))
    assert page.locator(".message").count() == 2


def test_html_in_a_message_is_text(open_page):
    page = open_page()
    say(page, "<img src=x onerror=alert(1)><b>bold</b>")
    expect(page.locator(".message.user .text")).to_have_text("<img src=x onerror=alert(1)><b>bold</b>")
    assert page.locator(".message img, .message b").count() == 0


# ---- events


@SIZES
def test_events_are_stored_in_batches(open_page, size):
    page = open_page(size)
    expect(page.locator("#count-stored")).to_have_text("1")  # that the page was seen
    with page.expect_response("**/events") as answered:
        page.get_by_role("button", name="Send 25").click()
    assert answered.value.json()["processed"] == 25
    expect(page.locator("#count-stored")).to_have_text("26")
    expect(page.locator("#event-list li[data-state=stored]")).to_have_count(26)
    expect(page.locator("#count-latency")).to_have_text(re.compile(r"^25 in \d"))


def test_events_of_a_lost_answer_are_sent_again_with_their_ids(open_page):
    page = open_page(may_fail=True)
    expect(page.locator("#count-stored")).to_have_text("1")
    page.clock.install()
    page.route("**/events", lambda route: route.abort())
    with page.expect_request("**/events") as first:
        page.get_by_label("Event", exact=True).fill("checkout_click")
        page.keyboard.press("Enter")
        page.clock.run_for(500)
    expect(page.locator("#count-latency")).to_have_text("The server cannot be reached.")
    page.unroute("**/events")
    with page.expect_request("**/events") as second:
        page.clock.run_for(3500)
    assert json.loads(second.value.post_data)["events"] == json.loads(first.value.post_data)["events"]
    expect(page.locator("#count-stored")).to_have_text("2")


def test_refused_events_say_why(open_page):
    page = open_page(may_fail=True)
    expect(page.locator("#count-stored")).to_have_text("1")
    failure = {"index": 0, "id": None, "field": "event", "message": "event is required"}
    page.route("**/events", lambda route: route.fulfill(json={"processed": 0, "errors": 1, "failures": [failure]}))
    page.get_by_label("Event", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    badge = page.locator("#event-list li").first.locator(".badge")
    expect(badge).to_have_text("refused")
    expect(badge).to_have_attribute("title", "event is required")
    expect(page.locator("#count-refused")).to_have_text("1")


def test_paused_events_wait(open_page):
    page = open_page()
    expect(page.locator("#count-stored")).to_have_text("1")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Send 25").click()
    expect(page.locator("#event-list li[data-state=queued]")).to_have_count(25)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#count-stored")).to_have_text("26")


# ---- key


def test_key_shows_its_tenants_events(application, open_page):
    page = open_page(may_fail=True)
    page.get_by_role("button", name="Anonymous").click()
    page.locator("#key-input").fill("sk_live_" + "x" * 32)
    page.get_by_role("button", name="Use key").click()
    expect(page.get_by_role("alert")).to_have_text("This key is not known, or no longer valid.")
    page.locator("#key-input").fill(application.key)
    page.get_by_role("button", name="Use key").click()
    expect(page.locator("#identity")).to_have_text("owner@example.com (enterprise)")
    headers = {"authorization": f"Bearer {application.key}"}
    event = {"event": "sent_elsewhere", "component": "Backend"}
    assert (
        httpx.post(
            f"{application.url}/events", json=event, headers=headers, trust_env=False, timeout=HANG_S
        ).status_code
        == 200
    )
    row = page.locator("#event-list li", has_text="sent_elsewhere").first
    expect(row).to_contain_text("Backend")
    page.reload()
    expect(page.locator("#identity")).to_have_text("owner@example.com (enterprise)")
    page.locator("#identity").click()
    page.get_by_role("button", name="Be anonymous").click()
    expect(page.locator("#identity")).to_have_text("Anonymous")


def test_demo_tenant_is_one_press_away(open_page):
    page = open_page(may_fail=True)
    page.get_by_role("button", name="Anonymous").click()
    page.get_by_role("button", name="Demo tenant").click()
    expect(page.locator("#identity")).to_have_text(re.compile(r"^demo@example\.com \("))
    expect(page.locator("#events-note")).to_have_text(
        re.compile(r"^Tenant, last 5 minutes: events \d+ .* This month: events \d+")
    )


def test_tier_without_live_figures_is_told_once(open_page):
    page = open_page(may_fail=True)
    refusal = "This feature requires developer tier or higher. Current tier: free"
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/live") else None)
    page.route("**/live", lambda route: route.fulfill(status=403, json={"error": refusal}))
    page.get_by_role("button", name="Anonymous").click()
    page.get_by_role("button", name="Demo tenant").click()
    expect(page.locator("#events-note")).to_have_text(f"No live figures: {refusal}")
    page.clock.install()
    page.clock.run_for(10_000)
    assert len(asked) == 1


# ---- dashboard


def test_dashboard_shows_the_metrics_to_track(open_page):
    page = open_page()
    say(page, "Say hello.")
    tiles = page.locator(".tile")
    expect(tiles.locator("h3")).to_have_text(
        ["Binding latency", "Stream, first byte", "Errors", "CPU", "Memory", "Cold starts"]
    )
    expect(tiles.nth(0).locator(".value")).to_have_text(re.compile(r"^\d+(\.\d)? (µs|ms)$"))
    expect(tiles.nth(0)).to_have_attribute("data-state", re.compile("good|bad"))
    expect(tiles.nth(1).locator(".value")).to_have_text(re.compile(r"^\d+(\.\d)? (µs|ms|s)$"))
    expect(tiles.nth(2).locator(".note")).to_have_text(
        re.compile(r"^of events in the last minute; \d+ of \d+ since the start$")
    )
    expect(tiles.nth(3).locator(".value")).to_have_text(re.compile(r"%$"))
    expect(tiles.nth(4).locator(".value")).to_have_text(re.compile(r"MB$"))
    bindings = page.get_by_role("table", name="Service bindings")
    expect(bindings.get_by_role("row", name=re.compile("api → streaming STREAMING fetch"))).to_be_visible()
    workers = page.get_by_role("table", name="Workers")
    expect(workers.get_by_role("rowheader").filter(has_text="streaming")).to_be_visible()
    expect(page.locator("#panel-streaming .bars li").first).to_be_visible()
    expect(page.locator("#panel-browser dd").first).to_have_text("1")


@pytest.mark.parametrize(
    ("added_s", "value", "state"), [(0.0004, "400 µs", "good"), (0.000996, "996 µs", "good"), (0.0016, "1.6 ms", "bad")]
)
def test_binding_that_adds_less_than_a_millisecond_is_good(application, open_page, added_s, value, state):
    """What a binding really adds is measured by `make bench`, on a machine that does nothing else."""
    measured = Metrics()
    for answer_s in (0.005, 0.02, 0.3):
        measured.edges["inference-ui-api", "STREAMING", "fetch"].record(answer_s + added_s, failed=False)
        measured.workers["inference-ui-streaming"].events["fetch"].record(answer_s, failed=False)
    page = open_page(ready=False)
    page.route(METRICS, lambda route: route.fulfill(content_type="text/plain", body=render_metrics(measured)))
    page.goto(application.url)
    tile = page.locator(".tile").nth(0)
    expect(tile.locator(".value")).to_have_text(value)
    expect(tile).to_have_attribute("data-state", state)


def test_deployed_worker_has_no_runtime_figures(application, open_page):
    page = open_page(may_fail=True, ready=False)
    page.route(METRICS, lambda route: route.fulfill(status=404, json={"error": "Not found"}))
    page.goto(application.url)
    expect(page.locator("#metrics-away")).to_contain_text("Cloudflare shows them")
    expect(page.locator("#tiles")).to_be_hidden()
    say(page, "Say hello.")
    expect(page.locator("#panel-browser dd").first).to_have_text("1")


# ---- for everybody


def violations(page):
    """Return what axe finds on the page as it is now: rules of WCAG and best practice, with the elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found]


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(open_page, size, scheme, tmp_path):
    page = open_page(size, scheme=scheme)
    say(page, "Say hello.")
    page.get_by_role("button", name="Send 25").click()
    expect(page.locator("#count-stored")).to_have_text(re.compile("2[78]"))
    expect(page.get_by_role("table", name="Workers")).to_be_visible()
    shots = Path(os.environ.get("PYWORKERS_SCREENSHOTS") or tmp_path)
    page.screenshot(path=shots / f"page-{size}-{scheme}.png", full_page=True)
    assert violations(page) == []
    for button in ("Healthy", "Anonymous"):
        page.get_by_role("button", name=button).click()
        page.screenshot(path=shots / f"{button.lower()}-{size}-{scheme}.png")
        assert violations(page) == []
        page.keyboard.press("Escape")


def test_nothing_scrolls_sideways(open_page):
    page = open_page()
    say(page, "A-word-that-is-much-longer-than-a-phone-is-wide-" + "x" * 200)
    expect(page.get_by_role("table", name="Workers")).to_be_visible()
    widths = {}
    for width in (320, 390, 600, 900, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        widths[width] = page.evaluate("document.documentElement.scrollWidth")
    assert widths == {width: width for width in widths}


def test_page_works_by_keyboard_alone(open_page):
    page = open_page("phone")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the chat")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#chat")).to_be_focused()
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert seen[:6] == [
        "transcript",
        "Say hello.",
        "What is a service binding?",
        "Write a haiku about edge computing.",
        "prompt",
        "send",
    ]
    page.locator("#prompt").focus()
    page.keyboard.type("One line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and another")
    page.keyboard.press("Enter")
    expect(page.locator(".message.user .text")).to_have_text("One line\nand another")
    expect(page.locator("#prompt")).to_be_focused()
    page.locator("#identity").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#identity")).to_be_focused()


def test_theme_is_kept(open_page):
    page = open_page(scheme="light", may_fail=True)  # what a reload cuts off has failed
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Switch to the dark theme").click()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    page.get_by_role("button", name="Switch to the light theme").wait_for()
    assert page.evaluate(background) == dark
