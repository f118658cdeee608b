"""What tests of bringing models in do in the browser, again and again."""

from pathlib import Path

from playwright.sync_api import Locator, Page

IMPORT_MS = 90_000
# A real drop: the file's own bytes, put into a DataTransfer by the browser.
DROP = """(zone) => {
  const transfer = new DataTransfer();
  for (const file of document.querySelector("#given").files) transfer.items.add(file);
  for (const type of ["dragenter", "dragover", "drop"]) {
    zone.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""
GIVE = """() => {
  const input = Object.assign(document.createElement("input"), { type: "file", id: "given", multiple: true });
  document.body.append(input);
}"""


def drop(page: Page, *paths: Path) -> None:
    """Drop files on the page of models."""
    page.evaluate(GIVE)
    page.locator("#given").set_input_files(paths)
    page.locator("[data-drop]").evaluate(DROP)
    page.locator("#given").evaluate("(input) => input.remove()")


def arrival(page: Page, name: str) -> Locator:
    """Return the card of what is on its way."""
    return page.locator(".arrival").filter(has=page.get_by_role("heading", name=name, exact=True))
