"""What tests of the chat do in the browser, again and again."""

import json
import re

from playwright.sync_api import Page, expect

ANSWER_MS = 120_000


def ask_without_chance(page: Page, **settings) -> None:
    """Let new conversations be answered with the likeliest words, so that a small model says Paris each time."""
    wanted = {"temperature": 0, **settings}
    page.route(
        "**/chat/messages",
        lambda route: route.continue_(post_data=json.dumps({**route.request.post_data_json, "settings": wanted})),
    )


def ask(page: Page, question: str) -> None:
    """Write a question and send it."""
    page.get_by_label("Your message").fill(question)
    page.keyboard.press("Enter")


def has_begun(page: Page) -> None:
    """Wait until the last answer says something."""
    expect(page.locator(".from-model .prose").last).to_contain_text(re.compile(r"\w+ \w+"), timeout=ANSWER_MS)


def has_finished(page: Page) -> None:
    """Wait until the last answer is whole, or has ended otherwise."""
    expect(page.locator(".from-model:last-child .facts")).to_be_visible(timeout=ANSWER_MS)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible(timeout=ANSWER_MS)
