"""Markdown becomes harmless HTML, whole and while it grows."""

import random

import pytest

from premrunner.web.pages.markdown import LONGEST_COLOURED, LONGEST_RENDERED, GrowingMarkdown, highlight, render

from .reading import Page

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:x)",
    "![x](javascript:alert(1))",
    '[x](https://a.example "onmouseover=alert(1)")',
    "<a href='javascript:alert(1)'>x</a>",
    '```"onload="alert(1)\ncode\n```',
    "```html\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "<style>body{display:none}</style>",
    '<div style="position:fixed">x</div>',
    "| <script>alert(1)</script> |\n|--|\n| <b onclick=alert(1)>x</b> |",
    "[x]: javascript:alert(1)\n\n[x]",
    "<iframe src=//evil.example></iframe><form action=//evil.example><input></form>",
]

DOCUMENT = """\
# Title

A paragraph with **bold**, *emphasis*, ~~gone~~ and `code`
over two lines.

Setext
======

- one
- two
  - nested

  still two
- three

1. first

2. second

| a | b |
|:-:|--:|
| 1 | 2 |

> quoted
> more

```python
def answer() -> int:

    return 42
```

***

Last [link](https://example.com), and a
lazy end\
"""


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_in_a_text_runs(text):
    page = Page(render(text))
    assert page.is_inert
    assert not {tag for tag, _ in page.tags} & {"script", "img", "svg", "style", "iframe", "form", "input", "div"}


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_runs_while_a_text_grows(text):
    drawing = GrowingMarkdown()
    for character in text:
        for part in drawing.add(character):
            assert Page(part).is_inert


def test_raw_html_is_shown_as_it_was_written():
    assert Page(render("a <b>bold</b> word")).text.strip() == "a <b>bold</b> word"


def test_links_open_elsewhere_and_tell_nothing():
    (link,) = Page(render("[x](https://example.com)")).find("a")
    assert link == {"href": "https://example.com", "target": "_blank", "rel": "noopener noreferrer"}


def test_a_picture_becomes_a_link_so_that_nothing_is_fetched():
    page = Page(render("![A cat](https://example.com/cat.png)"))
    assert page.find("img") == []
    assert page.find("a")[0]["href"] == "https://example.com/cat.png"
    assert page.text.strip() == "A cat"


def test_columns_are_aligned_by_class():
    cells = Page(render("| a | b |\n|:-:|--:|\n| 1 | 2 |")).find("td")
    assert cells == [{"class": "align-center"}, {"class": "align-right"}]


def test_code_is_coloured_by_class_and_names_its_language():
    page = Page(render("```python\nreturn 1\n```"))
    assert {"class": "k"} in page.find("span")
    assert page.find("code") == [{"data-language": "python"}]


@pytest.mark.parametrize("language", ["", "no-such-language", "\x00"])
def test_code_of_an_unknown_language_stays_plain(language):
    assert highlight("<b>", language) == "&lt;b&gt;"


def test_long_code_stays_plain():
    assert "<span" not in highlight("return 1\n" * LONGEST_COLOURED, "python")


def test_a_text_of_one_repeated_bracket_is_not_parsed_for_ever():
    assert "[[[" in render("[" * LONGEST_RENDERED)
    assert "![![" in render("![" * LONGEST_RENDERED)


@pytest.mark.parametrize("seed", range(30))
def test_a_text_that_grows_by_any_steps_ends_as_the_whole_one(seed):
    pieces = random.Random(seed)
    drawing, html, rest = GrowingMarkdown(), "", DOCUMENT
    while rest:
        size = pieces.randint(1, 12)
        settled, still_open = drawing.add(rest[:size])
        html += settled
        rest = rest[size:]
    assert html + still_open == render(DOCUMENT)


def test_a_settled_block_is_not_sent_again():
    drawing = GrowingMarkdown()
    assert drawing.add("One.\n\nTw") == ("", "<p>One.</p>\n<p>Tw</p>\n")
    assert drawing.add("o.\n\nThree.\n") == ("<p>One.</p>\n<p>Two.</p>\n", "<p>Three.</p>\n")


def test_a_half_line_does_not_settle_the_list_that_it_may_continue():
    drawing = GrowingMarkdown()
    drawing.add("1. a\n\n2")
    _, still_open = drawing.add(". b\n")
    assert len(Page(still_open).find("ol")) == 1
