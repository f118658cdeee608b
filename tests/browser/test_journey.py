"""A real browser on a real server with a real model."""

import re

from playwright.sync_api import expect

from .chatting import ask_without_chance, has_finished


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


def test_models_show_how_to_call_them(page):
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("heading", name="SmolLM2 135M Instruct")).to_be_visible()
    page.get_by_text("Use from code").click()
    expect(page.get_by_role("region", name="OpenAI SDK")).to_contain_text('model="smollm2-135m-instruct"')


def test_lists_can_be_read_without_javascript(chromium, live_server):
    live_server.chat("What is the capital of France?")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/login?token={live_server.token}")
    expect(page.get_by_text("Asking needs JavaScript.")).to_be_visible()
    page.goto(f"{live_server.url}/traces")
    page.locator(".traces a").first.click()
    expect(page.locator(".turn.from-assistant")).to_contain_text("Paris")
    page.goto(f"{live_server.url}/models")
    page.get_by_text("Use from code").click()
    expect(page.get_by_role("region", name="curl")).to_be_visible()
    context.close()
