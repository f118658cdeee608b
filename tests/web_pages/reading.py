"""Read pages the way a browser does: tags that run, attributes, and text."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The elements of a page.

    Attributes:
        tags: Each start tag with its attributes.
        text: All text.
    """

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def find(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def is_inert(self) -> bool:
        """Whether nothing in it runs or is styled, save scripts of our own files."""
        scripts_are_ours = all(script.get("src", "").startswith("/assets/") for script in self.find("script"))
        attributes = [(name, value) for _, given in self.tags for name, value in given.items()]
        return scripts_are_ours and not any(
            name == "style" or name.startswith("on") or value.strip().lower().startswith("javascript:")
            for name, value in attributes
        )
