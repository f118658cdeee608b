"""Take every page of a real site with real content, at every width, light and dark: ``make screenshots``."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from conftest import LiveServer, launch_chromium, start_server, stop_server
from playwright.sync_api import Browser, sync_playwright

from browser.tour import TOUR, Stop, prepare

WIDTHS = {390: 844, 1280: 800, 1920: 1080}
SCHEMES = ("light", "dark")
CALM_MS = 600


def take(browser: Browser, server: LiveServer, stop: Stop, path: str, folder: Path) -> None:
    """Take one page in every width and colour scheme, from its top to its end."""
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            if not stop.is_outside:
                page.request.get(f"{server.url}/login?token={server.token}")
            page.goto(server.url + path)
            page.wait_for_timeout(CALM_MS)
            page.screenshot(path=folder / f"{stop.name}-{width}-{scheme}.png", full_page=True)
            context.close()


def main(folder: Path, names: set[str]) -> None:
    """Take the pages of these names, or all, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        server = start_server(Path(temporary) / "data")
        browser = launch_chromium(playwright)
        try:
            server.wait_for_model()
            sights = prepare(server)
            for stop in TOUR:
                if not names or stop.name in names:
                    take(browser, server, stop, stop.path.format_map(vars(sights)), folder)
        finally:
            browser.close()
            stop_server(server)


if __name__ == "__main__":
    main(Path(sys.argv[1]), set(sys.argv[2:]))
