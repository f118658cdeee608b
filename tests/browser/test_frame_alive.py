"""The frame's own behaviour: keys, dialogs, menus, toasts, and the settings that the browser keeps."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .complaints import Complaints


@pytest.fixture
def page(chromium: Browser, live_server, sights) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page, live_server.url)
    page.goto(f"{live_server.url}/login?token={live_server.token}&next=/settings")
    yield page
    context.close()
    assert complaints == []


def test_two_keys_lead_to_every_page(page, live_server):
    for keys, path in (("gt", "/traces"), ("gm", "/models"), ("ga", "/reference"), ("gs", "/settings"), ("gc", "/")):
        # In the chat the cursor stands in the question, where letters are text.
        page.evaluate("document.activeElement.blur()")
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(live_server.url + path)


def test_letters_are_text_while_somebody_writes(page):
    page.get_by_text("Make a key").click()
    page.get_by_label("Name").press_sequentially("gt?")
    expect(page.get_by_label("Name")).to_have_value("gt?")
    expect(page.locator("dialog")).to_have_count(0)
    assert page.url.endswith("/settings")


def test_the_help_sheet_keeps_the_focus_and_gives_it_back(page):
    opener = page.get_by_role("button", name="Keyboard shortcuts")
    opener.focus()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_contain_text("Go to Traces")
    page.keyboard.press("g")
    page.keyboard.press("t")
    for _ in range(3):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(opener).to_be_focused()
    assert page.url.endswith("/settings")


def test_shortcuts_that_are_off_do_nothing_and_the_sheet_can_still_be_read(page):
    page.get_by_role("group", name="Single-key shortcuts").get_by_role("button", name="Off").click()
    expect(page.get_by_role("button", name="Off")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_have_count(0)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_theme_holds_on_every_page_against_the_systems(page, live_server):
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    for path in ("/settings", "/traces"):
        page.goto(live_server.url + path)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 19)"


def test_a_key_is_made_copied_and_revoked_after_a_question(page, live_server):
    page.get_by_text("Make a key").click()
    page.get_by_label("Name").fill("Notebook")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator("#secret").inner_text()
    assert secret.startswith("premrunner-")
    page.get_by_role("button", name="Revoke Notebook").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".keys h3", has_text="Notebook")).to_have_count(1)
    page.get_by_role("button", name="Revoke Notebook").click()
    dialog.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.locator(".toast")).to_have_text("Notebook is revoked.")
    expect(page.locator(".keys h3", has_text="Notebook")).to_have_count(0)


def test_the_log_goes_on_while_it_is_open(page, live_server):
    page.get_by_text("Log", exact=True).click()
    log = live_server.data_path / "logs" / "engine.log"
    with log.open("a") as file:
        file.write("a line that is new\n")
    expect(page.get_by_role("region", name="The engine's log")).to_contain_text("a line that is new")


def test_a_menu_closes_on_escape_and_on_a_click_elsewhere(page):
    summary = page.locator(".engine summary")
    panel = page.locator(".engine dl")
    summary.click()
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(summary).to_be_focused()
    summary.click()
    page.get_by_role("heading", level=1).click()
    expect(panel).to_be_hidden()


def test_a_phone_has_every_page_and_the_way_out(page):
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("Chat", "Models", "Traces", "Settings", "API"):
        box = page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390
    page.locator("#browser").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to PremRunner")).to_be_visible()
