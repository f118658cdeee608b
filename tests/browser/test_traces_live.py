"""Traces as a person meets them: they appear, are found, judged, replayed and taken away, on a real engine."""

import json
import re
from collections.abc import Iterator

import pytest
from conftest import LiveServer
from playwright.sync_api import Browser, Page, expect

from .complaints import Complaints

SOON_MS = 15_000
ANSWER_MS = 60_000


@pytest.fixture
def page(chromium: Browser, live_server) -> Iterator[Page]:
    """A page that has logged in; at the end it must not have complained."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page, live_server.url)
    page.goto(f"{live_server.url}/login?token={live_server.token}")
    yield page
    assert complaints == []
    context.close()


def call(server: LiveServer, question: str, **fields) -> str:
    answer = server.chat(question, max_tokens=12, **fields)
    assert answer.ok
    return answer.headers["x-request-id"]


def test_a_call_appears_in_the_open_list_and_its_figures_with_it(page, live_server):
    call(live_server, "What is the capital of France?")
    page.goto(f"{live_server.url}/traces")
    before = page.locator("[data-total]").inner_text()
    page.wait_for_timeout(500)
    trace_id = call(live_server, "Does this row come by itself?")
    row = page.locator(f'.traces tr[data-id="{trace_id}"]')
    expect(row).to_contain_text("Does this row come by itself?", timeout=SOON_MS)
    expect(row).to_contain_text("ok", timeout=SOON_MS)
    expect(page.locator(".traces tbody tr").first).to_have_attribute("data-id", trace_id)
    expect(page.locator("[data-said]")).to_have_text(re.compile("new call"))
    expect(page.locator("[data-total]")).not_to_have_text(before)


def test_filters_and_words_stand_in_the_address_and_survive_a_reload(page, live_server):
    found = call(live_server, "Tell me about zebras.")
    call(live_server, "Tell me about ships.")
    page.goto(f"{live_server.url}/traces")
    page.keyboard.press("/")
    page.keyboard.type("zebras")
    page.keyboard.press("Enter")
    expect(page.locator(".traces tbody tr")).to_have_count(1)
    assert page.url == f"{live_server.url}/traces?q=zebras"
    page.get_by_label("Status").select_option("ok")
    expect(page).to_have_url(f"{live_server.url}/traces?q=zebras&status=ok")
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("zebras")
    expect(page.locator(".traces tbody tr")).to_have_attribute("data-id", found)
    page.get_by_role("link", name="Clear").click()
    expect(page.locator(".traces tbody tr").nth(1)).to_be_visible()


def test_an_answer_is_corrected_by_keyboard_alone_and_exported(page, live_server):
    trace_id = call(live_server, "What is the capital of France?")
    page.goto(f"{live_server.url}/traces/{trace_id}")
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("e")
    expect(page.get_by_label("The answer as it should have been")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("The capital of France is Paris, on the Seine.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".difference ins").last).to_be_visible()
    page.goto(f"{live_server.url}/traces?feedback=corrected")
    page.locator("summary", has_text="Export").press("Enter")
    page.get_by_label("Preference pairs").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert lines[0]["chosen"] == [{"role": "assistant", "content": "The capital of France is Paris, on the Seine."}]
    assert lines[0]["rejected"][0]["content"] != lines[0]["chosen"][0]["content"]


def test_a_call_is_replayed_and_both_answers_stand_side_by_side(page, live_server):
    trace_id = call(live_server, "Name a colour.", seed=1)
    page.goto(f"{live_server.url}/traces/{trace_id}")
    page.locator("summary", has_text="Replay").click()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("heading", name="Beside the original")).to_be_visible(timeout=ANSWER_MS)
    said = live_server.get(f"/v1/traces/{trace_id}").json()["output"]
    expect(page.locator(".two article").first).to_contain_text(said.split()[0])
    page.locator(".two a").click()
    expect(page.get_by_role("heading", name="Replays")).to_be_visible()


def test_what_a_filter_shows_is_deleted_after_a_question_with_the_count(page, live_server):
    call(live_server, "Something about walruses.")
    page.goto(f"{live_server.url}/traces?q=walruses")
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete them").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 call that this filter shows")
    page.get_by_role("dialog").get_by_role("button", name="Delete 1 call").click()
    expect(page.get_by_text("1 call deleted.")).to_be_visible()
    assert live_server.get("/v1/traces?q=walruses").json()["total"] == 0


def test_the_list_is_filtered_and_read_without_javascript(chromium, live_server):
    call(live_server, "Something about otters.")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/login?token={live_server.token}")
    page.goto(f"{live_server.url}/traces")
    page.get_by_label("Search").fill("otters")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".traces tbody tr")).to_have_count(1)
    page.locator(".traces tbody a").click()
    expect(page.locator(".turn").first).to_contain_text("Something about otters.")
    expect(page.locator("#raw-request")).to_contain_text("otters")
    context.close()
