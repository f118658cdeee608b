"""The whole way, on one page of one browser: in with a file, out with training data."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LiveServer
from imports.conftest import zip_of
from playwright.sync_api import BrowserContext, Page, expect

from .chatting import ask, ask_without_chance, has_begun, has_finished
from .complaints import Complaints
from .dropping import IMPORT_MS, arrival, drop

FRANCE = "What is the capital of France?"
CORRECTED = "The capital of France is Paris, on the Seine."


@pytest.fixture
def page(context: BrowserContext, empty_server: LiveServer) -> Iterator[Page]:
    """A page of somebody who has not logged in; at the end it must not have complained."""
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page, empty_server.url)
    yield page
    assert complaints == []


def test_from_a_dropped_file_to_training_data(page, empty_server, starter_gguf: Path, tmp_path: Path):
    log_in(page, empty_server)
    bring_in(page, zip_of(tmp_path / "paris-bot.zip", {"model.gguf": starter_gguf}, 0))
    talk(page)
    correct(page)
    assert export(page) == [
        {
            "messages": [{"role": "user", "content": FRANCE}, {"role": "assistant", "content": CORRECTED}],
        }
    ]


def log_in(page: Page, server: LiveServer) -> None:
    page.goto(server.url)
    page.get_by_label("Access token").fill(server.token)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/")


def bring_in(page: Page, archive: Path) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Models").click()
    page.wait_for_load_state("networkidle")
    drop(page, archive)
    card = arrival(page, "paris-bot")
    card.get_by_role("button", name="Import").click()
    expect(card.locator("[aria-current=step]")).to_be_visible()
    expect(card.locator(".tag")).to_have_text("Ready", timeout=IMPORT_MS)
    card.get_by_role("link", name="Chat with it").click()


def talk(page: Page) -> None:
    """Ask, stop an answer, ask otherwise in its place, and reload while the answer is being written."""
    expect(page.locator("[data-picked]")).to_have_text("paris-bot")
    ask_without_chance(page, max_tokens=300)
    ask(page, "Write a very long story about the sea.")
    has_begun(page)
    page.keyboard.press("Escape")
    has_finished(page)
    expect(page.locator("[data-numbers]")).to_contain_text("Stopped")
    page.locator(".from-user").hover()
    page.get_by_role("button", name="Edit and send again").click()
    page.locator(".edit textarea").fill("Write a very long story about the mountains.")
    page.keyboard.press("Enter")
    expect(page.locator(".from-user .versions")).to_contain_text("2/2")
    has_begun(page)
    page.reload()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    has_finished(page)
    page.get_by_role("link", name="New chat").click()
    page.wait_for_load_state("networkidle")  # Scripts are there, and listen to keys.
    ask(page, FRANCE)
    has_finished(page)
    expect(page.locator(".from-model .prose")).to_contain_text("Paris")


def correct(page: Page) -> None:
    page.get_by_role("link", name="Trace", exact=True).click()
    expect(page.locator(".phases")).to_contain_text("Decode")
    page.get_by_text("Correct it").click()
    page.get_by_label("The answer as it should have been").fill(CORRECTED)
    page.get_by_role("button", name="Save the correction").click()
    expect(page.locator(".difference ins").last).to_be_visible()


def export(page: Page) -> list[dict]:
    page.get_by_role("link", name="Traces").first.click()
    page.get_by_label("Feedback").select_option("corrected")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("feedback=corrected"))
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    return [json.loads(line) for line in download.value.path().read_text().splitlines()]
