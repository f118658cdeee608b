r"""LaTeX in Markdown as MathML, which browsers draw themselves.

Models write ``$…$`` and ``\(…\)`` within a line, ``$$…$$`` and ``\[…\]`` for formulas of their own. What is no
formula (prices, shell variables) stays text, and a formula that cannot be read stays as it was written.
"""

import html
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from math_core import LatexError, LatexToMathML

# The elements and attributes of MathML Core that a formula is made of; nothing that links or runs is among them.
ELEMENTS = {
    *("math", "mi", "mn", "mo", "ms", "mtext", "mspace", "mrow", "mfrac", "msqrt", "mroot", "mstyle", "merror"),
    *("mpadded", "mphantom", "menclose", "msub", "msup", "msubsup", "munder", "mover", "munderover"),
    *("mmultiscripts", "mprescripts", "mtable", "mtr", "mtd"),
}
ATTRIBUTES = {
    *("display", "displaystyle", "scriptlevel", "mathvariant", "stretchy", "fence", "form", "separator", "lspace"),
    *("rspace", "minsize", "maxsize", "symmetric", "largeop", "movablelimits", "accent", "accentunder", "width"),
    *("height", "depth", "voffset", "linethickness", "notation", "columnspan", "rowspan", "class"),
}

LONGEST_FORMULA = 4_000
CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$"}
BLOCKS = ("$$", "\\[")
# A cell's side comes as inline style, which the pages do not allow.
CELL = re.compile(r'<mtd style="text-align: (left|right);[^"]*"')

_convert = LatexToMathML(fancy_error=False)


def mathml(latex: str, opener: str) -> str:
    """Return a formula as MathML, or as it was written where it cannot be read."""
    written = f"{opener}{latex}{CLOSERS[opener]}"
    try:
        if len(latex) > LONGEST_FORMULA:
            return _source(written)
        drawn = _convert.convert_with_local_state(latex.strip(), displaystyle=opener in BLOCKS)
    except LatexError:
        return _source(written)
    return CELL.sub(r'<mtd class="to-\1"', drawn)


def _source(written: str) -> str:
    return f'<code class="formula">{html.escape(written)}</code>'


def read_formulas(markdown: MarkdownIt) -> None:
    """Teach a Markdown parser formulas."""
    # Before the backslash escapes a bracket, and before a line that begins with a dash becomes a list.
    markdown.inline.ruler.before("escape", "formula", _formula_in_line)
    markdown.block.ruler.before(
        "fence", "formula_block", _formula_block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    markdown.add_render_rule("formula", _draw)
    markdown.add_render_rule("formula_block", _draw_block)


def _formula_in_line(state: StateInline, silent: bool) -> bool:
    opener = _opener(state.src, state.pos)
    if not opener:
        return False
    start = state.pos + len(opener)
    end = _end(state.src, start, state.posMax, opener)
    if end < 0:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content = state.src[start:end]
        token.markup = opener
    state.pos = end + len(CLOSERS[opener])
    return True


def _opener(text: str, start: int) -> str:
    return next((opener for opener in CLOSERS if text.startswith(opener, start)), "")


def _end(text: str, start: int, stop: int, opener: str) -> int:
    """Return where a formula ends, or -1 where it is none."""
    closer = CLOSERS[opener]
    end = text.find(closer, start, stop)
    while closer == "$" and end >= 0 and text[end - 1] == "\\":  # \$ is a dollar sign within the formula.
        end = text.find(closer, end + 1, stop)
    if end < 0 or not text[start:end].strip():
        return -1
    # As in Pandoc: nothing blank inside a lone dollar, no digit behind it. So "$5 and $10" are prices.
    is_price = text[start].isspace() or text[end - 1].isspace() or text[end + 1 : end + 2].isdigit()
    return -1 if opener == "$" and is_price else end


def _formula_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Take a formula of its own lines; one that no mark closes ends with its paragraph, and is shown as written."""
    opener = _opener(_line(state, start_line), 0)
    if opener not in BLOCKS:
        return False
    lines: list[str] = []
    is_closed = False
    for number in range(start_line, end_line):
        line = _line(state, number)
        if not line.strip():
            break
        lines.append(line[2:] if number == start_line else line)
        if lines[-1].rstrip().endswith(CLOSERS[opener]):
            is_closed = True
            break
    content = "\n".join(lines).rstrip().removesuffix(CLOSERS[opener] if is_closed else "")
    # Text behind an opener that is not closed is text: "$$ is the process's number".
    if (not is_closed and lines[0].strip()) or (is_closed and not content.strip()):
        return False
    if silent:
        return True
    state.line = start_line + len(lines)
    token = state.push("formula_block", "math", 0)
    token.content = content
    token.markup, token.meta = opener, {"is_closed": is_closed}
    token.map = [start_line, state.line]
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _draw(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType) -> str:
    return mathml(tokens[index].content, tokens[index].markup)


def _draw_block(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType) -> str:
    token = tokens[index]
    drawn = mathml(token.content, token.markup) if token.meta["is_closed"] else _source(token.markup + token.content)
    return f'<p class="formula">{drawn}</p>\n'
