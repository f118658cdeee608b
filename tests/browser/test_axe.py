"""axe-core finds nothing to complain about: on any page, light and dark, narrow and wide, empty and full."""

from pathlib import Path

import pytest
from clients.environments import node_packages
from playwright.sync_api import Browser, Page

from .tour import TOUR, Sights, Stop

SIZES = ({"width": 390, "height": 844}, {"width": 1280, "height": 800})
RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
        `${id}: ${target.join(" ")}: ${failureSummary.replaceAll("\\n", " ")}`));
}"""
OPEN_DETAILS = "document.querySelectorAll('details').forEach((details) => { details.open = true; })"


@pytest.fixture(scope="session")
def axe() -> Path:
    try:
        return node_packages("axe") / "node_modules" / "axe-core" / "axe.min.js"
    except AssertionError as error:
        pytest.skip(f"axe-core cannot be fetched from npm: {error}")


def visit(chromium: Browser, server, axe: Path, path: str, *, is_outside: bool) -> Page:
    page = chromium.new_context(viewport=SIZES[1], reduced_motion="reduce").new_page()
    page.add_init_script(path=axe)
    if not is_outside:
        page.goto(f"{server.url}/login?token={server.token}")
    page.goto(server.url + path)
    return page


def violations(page: Page) -> str:
    """Return what axe finds in every colour scheme and size, a line each."""
    found = []
    for size in SIZES:
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += [f"{size['width']} {scheme} {violation}" for violation in page.evaluate(RUN)]
    return "\n".join(found)


@pytest.mark.parametrize("stop", TOUR, ids=lambda stop: stop.name)
def test_axe_finds_nothing(chromium, live_server, sights: Sights, axe, stop: Stop):
    page = visit(chromium, live_server, axe, stop.path.format_map(vars(sights)), is_outside=stop.is_outside)
    assert not violations(page)
    page.evaluate(OPEN_DETAILS)
    assert not violations(page)
    page.context.close()


@pytest.mark.parametrize("stop", [stop for stop in TOUR if "{" not in stop.path], ids=lambda stop: stop.name)
def test_axe_finds_nothing_where_there_is_nothing_yet(chromium, empty_server, axe, stop: Stop):
    page = visit(chromium, empty_server, axe, stop.path, is_outside=stop.is_outside)
    assert not violations(page)
    page.context.close()


@pytest.mark.parametrize("stop", [stop for stop in TOUR if not stop.is_outside], ids=lambda stop: stop.name)
def test_axe_finds_nothing_in_the_dialogs(chromium, live_server, sights: Sights, axe, stop: Stop):
    """Whatever says that it opens a dialog is pressed."""
    page = visit(chromium, live_server, axe, stop.path.format_map(vars(sights)), is_outside=False)
    openers = page.locator("[aria-haspopup=dialog]:visible")
    assert openers.count() >= 1
    for opener in openers.all():
        opener.click()
        page.locator("dialog:modal").wait_for()
        assert not violations(page)
        page.set_viewport_size(SIZES[1])
        page.keyboard.press("Escape")
        page.locator("dialog:modal").wait_for(state="detached")
    page.context.close()
