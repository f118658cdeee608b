"""Markdown to harmless HTML: whole texts, and answers that still grow.

The text is a model's, so it may hold anything. Raw HTML is shown as text, pictures become links (the page fetches
nothing from elsewhere), and what comes out is sanitised once more. Colours are classes, since the pages allow no inline
style.
"""

import html
import re
from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from premrunner.web.pages import latex

# Pygments colours a million characters a second: longer code would hold up every other stream of the process for
# more than 10 ms, each time that it is drawn anew.
LONGEST_COLOURED = 8_000
# Emphasis and links take quadratic time where a model repeats one bracket for ever; no paragraph is this long.
LONGEST_INLINE = 4_000
# Past this a text is shown as it is: a second of rendering helps nobody to read it.
LONGEST_RENDERED = 200_000

# To make one takes as long as to colour some lines.
FORMATTER = HtmlFormatter(nowrap=True)
ALIGNMENT = re.compile(r"text-align:(left|center|right)")

_sanitise = nh3.Cleaner(
    tags={
        *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"),
        *("pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
        *latex.ELEMENTS,
    },
    attributes={
        "a": {"href", "title"},
        "code": {"data-language", "class"},
        "ol": {"start"},
        "p": {"class"},
        "span": {"class"},
        "td": {"class"},
        "th": {"class"},
        **dict.fromkeys(latex.ELEMENTS, latex.ATTRIBUTES),
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",  # It could only lead into these pages.
).clean


def highlight(code: str, language: str) -> str:
    """Return code as HTML whose parts carry Pygments' short classes; plain where the language is unknown."""
    try:
        if not language or len(code) > LONGEST_COLOURED:
            return html.escape(code)
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return html.escape(code)
    coloured: str = pygments_highlight(code, lexer, FORMATTER)
    return coloured


def _fence(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType) -> str:
    token = tokens[index]
    language = token.info.split(maxsplit=1)[0].lower() if token.info.strip() else ""
    label = f' data-language="{html.escape(language[:20])}"' if language else ""
    return f"<pre><code{label}>{highlight(token.content, language)}</code></pre>\n"


def _image(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    source = html.escape(str(token.attrs.get("src", "")))
    alternative = renderer.renderInlineAsText(token.children or [], options, env)
    return f'<a href="{source}">{html.escape(alternative) or source}</a>'


def _align_by_class(state: StateCore) -> None:
    for token in state.tokens:
        aligned = ALIGNMENT.fullmatch(str(token.attrs.pop("style", "")))
        if aligned and aligned[1] != "left":
            token.attrs["class"] = f"align-{aligned[1]}"


def _keep_long_text_plain(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and len(token.content) > LONGEST_INLINE:
            token.type, token.children = "text", []


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.core.ruler.before("inline", "keep_long_text_plain", _keep_long_text_plain)
    markdown.core.ruler.push("align_by_class", _align_by_class)
    latex.read_formulas(markdown)
    markdown.add_render_rule("fence", _fence)
    markdown.add_render_rule("image", _image)
    return markdown


_MARKDOWN = _markdown()


def render(text: str) -> str:
    """Return Markdown as HTML that is safe to put into a page."""
    if len(text) > LONGEST_RENDERED:
        return f"<pre>{html.escape(text)}</pre>"
    return _sanitise(_MARKDOWN.render(text))


class GrowingMarkdown:
    """An answer that is still being written, rendered without starting from the beginning each time.

    Markdown is read line by line, and a block that another one follows can no longer change: it is *settled*. Only the
    last block is *open*. A link by reference is resolved only within the text that is drawn together.
    """

    def __init__(self) -> None:
        self._open = ""

    def add(self, text: str) -> tuple[str, str]:
        """Take in more text and return the HTML that has settled since the last call, and that of the open block.

        The HTML of the answer is everything that has settled, followed by what is open now.
        """
        # The parser takes a carriage return for the end of a line, and we count lines with it.
        self._open += text.replace("\r", "")
        tokens = _MARKDOWN.parse(self._open)
        last, line = _last_block(tokens, whole_lines=self._open.count("\n"))
        self._open = "\n".join(self._open.split("\n")[line:])
        return _html(tokens[:last]), _html(tokens[last:])


def _last_block(tokens: Sequence[Token], whole_lines: int) -> tuple[int, int]:
    """Return the token and the line with which the last block begins.

    A block that begins with a half line does not count: once whole, the line may continue the block before it.
    """
    last, line = 0, 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting >= 0 and token.map and token.map[0] < whole_lines:
            last, line = index, token.map[0]
    return last, line


def _html(tokens: Sequence[Token]) -> str:
    return _sanitise(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})) if tokens else ""
