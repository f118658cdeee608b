"""A real browser on a real server with a real model."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from .complaints import Complaints

ANSWER_MS = 60_000
LONG_QUESTION = "Write a very long story about the sea, in many paragraphs."


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, live_server) -> Iterator[Page]:
    """A page that has logged in by the link; at the end it must not have complained."""
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page, live_server.url)
    page.goto(f"{live_server.url}/login?token={live_server.token}")
    yield page
    assert complaints == []


def ask_without_chance(page: Page) -> None:
    """Let the page's questions be answered with the likeliest words, so that a small model says Paris each time."""
    page.route(
        "**/chat/stream",
        lambda route: route.continue_(post_data=json.dumps({**route.request.post_data_json, "temperature": 0})),
    )


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your message").fill(question)
    page.keyboard.press("Enter")


def has_finished(page: Page) -> None:
    expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("[data-facts]").last).to_be_visible()


def test_the_link_logs_in_and_leaves_no_token_in_the_address(page, live_server):
    assert page.url == f"{live_server.url}/"
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()


def test_the_capital_of_france_is_answered_and_its_trace_shown(page):
    ask_without_chance(page)
    page.get_by_role("button", name="What is the capital of France?").click()
    has_finished(page)
    expect(page.locator(".from-model .prose")).to_contain_text("Paris")
    expect(page.locator("[data-numbers]")).to_contain_text(re.compile(r"\d+ tokens · [\d.]+ tokens/s"))
    expect(page.get_by_label("Your message")).to_be_focused()
    page.get_by_role("link", name="Trace", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("smollm2-135m-instruct")
    expect(page.locator(".turn.from-assistant")).to_contain_text("Paris")
    expect(page.locator(".phases")).to_contain_text("Decode")
    page.get_by_role("link", name="Traces").first.click()
    expect(page.locator(".traces tbody tr").first).to_contain_text("smollm2-135m-instruct")


def test_escape_stops_an_answer_and_the_trace_says_so(page):
    ask(page, LONG_QUESTION)
    expect(page.locator(".from-model .prose")).to_contain_text(re.compile(r"\w+ \w+ \w+"), timeout=ANSWER_MS)
    page.keyboard.press("Escape")
    has_finished(page)
    said = page.locator(".from-model .prose").inner_text()
    expect(page.locator("[data-numbers]")).to_have_text("Stopped")
    page.get_by_role("link", name="Trace", exact=True).click()
    expect(page.locator(".title .tag")).to_have_text("stopped")
    assert said.split()[0] in page.locator(".turn.from-assistant").inner_text()


def test_a_conversation_survives_a_reload_in_mid_answer_and_ends_with_new_chat(page):
    ask(page, LONG_QUESTION)
    expect(page.locator(".from-model .prose")).to_contain_text(re.compile(r"\w+"), timeout=ANSWER_MS)
    page.reload()
    expect(page.locator(".from-user")).to_contain_text(LONG_QUESTION)
    expect(page.locator(".from-model .prose")).to_contain_text(re.compile(r"\w+"))
    expect(page.locator("[data-numbers]")).to_have_text("Stopped")
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".message")).to_have_count(0)
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


def test_settled_blocks_stay_and_the_open_one_is_replaced(page):
    events = [
        {"trace": "/traces/1"},
        {"text": "a", "thinking": "Hm.", "settled": "", "open": "<p>First</p>"},
        {"text": "b", "thinking": "", "settled": "<p>First.</p>", "open": "<ul><li>Se</li></ul>"},
        {"text": "c", "thinking": "", "settled": "", "open": "<p>Last</p>"},
        {"end": {"toolCalls": [], "completionTokens": 3}},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    page.route("**/chat/stream", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    ask(page, "Hello")
    has_finished(page)
    assert page.locator(".from-model .prose").inner_text().split() == ["First.", "Last"]
    expect(page.locator(".from-model summary")).to_have_text("Thinking")


def test_a_failure_stands_in_the_conversation_and_can_be_tried_again(page):
    refusal = {"error": {"message": "The engine is starting."}}
    page.route(
        "**/chat/stream",
        lambda route: route.fulfill(
            status=200, content_type="text/event-stream", body=f"data: {json.dumps(refusal)}\n\n"
        ),
    )
    ask(page, "What is the capital of France?")
    expect(page.locator("[data-problem]")).to_have_text("The engine is starting.")
    page.unroute("**/chat/stream")
    ask_without_chance(page)
    page.get_by_role("button", name="Try again").click()
    has_finished(page)
    expect(page.locator(".from-model")).to_have_count(1)
    expect(page.locator(".from-model .prose")).to_contain_text("Paris")


def test_models_show_how_to_call_them(page):
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="SmolLM2 135M Instruct")).to_be_visible()
    page.get_by_text("Use from code").click()
    expect(page.get_by_role("region", name="OpenAI SDK")).to_contain_text('model="smollm2-135m-instruct"')


def test_lists_can_be_read_without_javascript(chromium, live_server):
    live_server.chat("What is the capital of France?")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/login?token={live_server.token}")
    expect(page.get_by_text("The chat needs JavaScript.")).to_be_visible()
    page.goto(f"{live_server.url}/traces")
    page.locator(".traces a").first.click()
    expect(page.locator(".turn.from-assistant")).to_contain_text("Paris")
    page.goto(f"{live_server.url}/models")
    page.get_by_text("Use from code").click()
    expect(page.get_by_role("region", name="curl")).to_be_visible()
    context.close()
