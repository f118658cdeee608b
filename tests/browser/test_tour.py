"""What holds for every page, in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from .complaints import Complaints
from .tour import TOUR, Sights, Stop, pages_of

# HTML, stylesheet, scripts and pictures together, as they travel to a browser that has nothing of them.
MOST_BYTES = 100_000
WIDTHS = (390, 768, 1280, 2560)
CALM_MS = 300
# More stations than any page has for the Tab key.
MOST_TABS = 400

Visit = Callable[..., Page]
every_page = pytest.mark.parametrize("stop", TOUR, ids=lambda stop: stop.name)

WATCH_SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries())
            for (const { node } of sources)
                // The engine may come or go at any moment, and says so.
                if (!node?.closest?.("[data-engine]")) window.shifts.push(`${value} ${node?.outerHTML?.slice(0, 80)}`);
    }).observe({ type: "layout-shift", buffered: true });
"""
# Where the keyboard is, and whether one sees it there.
FOCUSED = """() => {
    const element = document.activeElement;
    const { width, height } = element.getBoundingClientRect();
    // The box around the chat's question is marked in its place.
    const isMarked = [element, element.parentElement ?? element].map((one) => getComputedStyle(one))
        .some(({ outlineStyle, outlineWidth }) => outlineStyle !== "none" && parseFloat(outlineWidth) > 0);
    element.dataset.visited = "";
    return {
        isPage: element === document.body,
        name: element.outerHTML.slice(0, 120),
        isSeen: width > 1 && height > 1 && (isMarked || element.matches("#content")),
    };
}"""
UNVISITED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled)
    .filter((element) => element.tabIndex >= 0 && element.type !== "radio" && element.dataset.visited === undefined)
    .map((element) => element.outerHTML.slice(0, 120))"""


@pytest.fixture
def visit(chromium: Browser, live_server, sights: Sights) -> Iterator[Visit]:
    """Open a page of the tour as somebody who has never been there; nothing may be amiss with it."""
    contexts, complaints = [], Complaints()

    def open_page(stop: Stop, script: str = "", *, width: int = 1280, **context) -> Page:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 844}, **context))
        page = contexts[-1].new_page()
        if not stop.is_outside:
            page.request.get(f"{live_server.url}/login?token={live_server.token}")
        complaints.watch(page, live_server.url)
        if script:
            page.add_init_script(script)
        page.goto(live_server.url + stop.path.format_map(vars(sights)))
        page.wait_for_timeout(CALM_MS)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [said for said in complaints if "status of 404" not in said]


def test_every_page_is_on_the_tour(app):
    """A new page takes its place in ``tour.py``; what is no page at all is named there too."""
    assert pages_of(app) == {stop.endpoint for stop in TOUR if stop.endpoint}


@every_page
def test_a_page_is_light_and_complains_of_nothing(visit: Visit, stop: Stop):
    page = visit(stop)
    requests = []
    page.on("requestfinished", lambda request: requests.append(request))
    page.reload(wait_until="load")
    page.wait_for_timeout(CALM_MS)
    sizes = {request.url: request.sizes()["responseBodySize"] for request in requests}
    assert sum(sizes.values()) < MOST_BYTES, sizes


@every_page
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_a_page_comes(visit: Visit, stop: Stop, width: int):
    assert visit(stop, WATCH_SHIFTS, width=width).evaluate("window.shifts") == []


@every_page
def test_no_page_scrolls_sideways(visit: Visit, stop: Stop):
    page = visit(stop)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), width


@every_page
def test_a_page_can_be_read_without_javascript(visit: Visit, stop: Stop):
    assert stop.says in visit(stop, java_script_enabled=False).inner_text("main")


@every_page
def test_a_page_can_be_walked_with_the_keyboard_alone(visit: Visit, stop: Stop):
    page = visit(stop)
    page.evaluate("document.body.tabIndex = -1, document.body.focus()")
    page.keyboard.press("Tab")
    assert "Skip to the content" in page.evaluate(FOCUSED)["name"]
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["isPage"]:
            break
        assert focused["isSeen"], focused["name"]
    assert page.evaluate(UNVISITED) == []
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


@every_page
def test_nothing_is_animated_for_those_who_ask_for_rest(visit: Visit, stop: Stop):
    page = visit(stop, reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().filter(({ playState }) => playState === 'running').length") == 0
