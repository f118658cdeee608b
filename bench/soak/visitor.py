"""A real browser among the load: it looks at the live pages and chats; what its scripts throw is a finding."""

import random
import threading
import time
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright
from playwright.sync_api import TimeoutError as WaitedInVain

from tests.browser.chatting import ask, ask_without_chance
from tests.conftest import launch_chromium

from .ledger import Ledger
from .site import TOKEN

CHROMIUM = Path("/usr/bin/chromium")
PAGES = ("/models", "/traces", "/settings", "/")
PAGE_MS = 60_000
ANSWER_MS = 60_000
# Left alone, a small model goes on for minutes.
ANSWER_TOKENS = 40


class Visitor:
    """Somebody at a screen.

    Args:
        url: Of the proxy before the site.
        ledger: Takes what they met.
        ending: Set when they shall go.
        folder: Gets a picture of a page that was waited for in vain.
    """

    def __init__(self, url: str, ledger: Ledger, ending: threading.Event, folder: Path) -> None:
        self._url, self._ledger, self._ending, self._folder = url, ledger, ending, folder

    def visit(self) -> None:
        """Come again and again, each time as somebody new."""
        if not CHROMIUM.exists():
            self._ledger.left_out.append("A real browser: Chromium is not installed.")
            return
        with sync_playwright() as playwright:
            browser = launch_chromium(playwright)
            while not self._ending.is_set():
                context = browser.new_context()
                try:
                    page = context.new_page()
                    page.on("pageerror", lambda error: self._ledger.find(f"browser: a script failed: {error}"))
                    ask_without_chance(page, max_tokens=ANSWER_TOKENS)
                    self._look_around(page)
                except Error as error:
                    self._ledger.broken("browser", error)
                    self._ending.wait(1)
                finally:
                    context.close()
            browser.close()

    def _look_around(self, page: Page) -> None:
        self._open(page, f"/login?token={TOKEN}")
        for path in random.sample(PAGES, len(PAGES)):
            if self._ending.is_set() or not self._open(page, path):
                return
            if path == "/":
                self._ask(page)
            else:
                self._ending.wait(random.uniform(1, 4))  # Its scripts follow what happens.

    def _ask(self, page: Page) -> None:
        ask(page, "Tell me of the sea.")
        refusal = page.locator("[data-composer-problem]:visible")
        try:
            page.locator(".from-model:last-child .facts").or_(refusal).first.wait_for(timeout=ANSWER_MS)
        except WaitedInVain:
            picture = self._folder / f"browser-{time.monotonic():.0f}.png"
            page.screenshot(path=picture)
            self._ledger.find(f"browser: neither an answer nor a word about it; {picture} shows the page")
            return
        self._ledger.count(f"browser: chat {'refused' if refusal.count() else 'finished'}")

    def _open(self, page: Page, path: str) -> bool:
        answer = page.goto(self._url + path, timeout=PAGE_MS)
        if answer is not None and answer.ok:
            self._ledger.count("browser: page")
            return True
        status = answer.status if answer else 0
        if page.locator("main").count() == 0 or "Traceback" in page.inner_text("body"):
            self._ledger.find(f"browser: {path} is no page of ours: {status} {page.inner_text('body')[:200]}")
        self._ledger.errors[f"{status} in the browser"] += 1
        return False
