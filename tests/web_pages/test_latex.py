"""Formulas of models as MathML, and what only looks like one as it is."""

import pytest

from premrunner.web.pages.markdown import GrowingMarkdown, render

from .reading import Page


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (r"Euler: $e^{i\pi} + 1 = 0$.", 1),
        (r"With brackets \(a < b\) and \[ \frac{a}{b} \] too.", 2),
        ("$$\nx = y\n- z\n= 3\n$$", 1),
        ("\\[\n\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}\n\\]", 1),
        ("- In a list: $x$\n- > and a quote: $y$", 2),
        ("| a | b |\n|---|---|\n| $x$ | $y$ |", 2),
    ],
)
def test_formulas_are_drawn(text, count):
    page = Page(render(text))
    assert len(page.find("math")) == count
    assert page.is_inert
    assert "$" not in page.text


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 or $10.",
        "Between $5-$10 a month.",
        r"A dollar: \$x\$",
        "$$ is the process's number",
        "`$x$`",
        "```\n$$x$$\n```",
        "$ x $",
        "$",
        "$$",
        "$$$$",
    ],
)
def test_what_is_no_formula_stays_text(text):
    page = Page(render(text))
    assert page.find("math") == []
    assert "$" in page.text


@pytest.mark.parametrize(
    "latex", [r"\frac{a", r"\unknown{x}", r"\href{javascript:alert(1)}{x}", "x" * 5000, r"\def\x{\x}\x"]
)
def test_a_broken_formula_is_shown_as_it_was_written(latex):
    page = Page(render(f"\\[{latex}\\]"))
    assert page.find("math") == []
    assert latex in page.text
    assert page.is_inert


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<img src=x onerror=alert(1)>}",
        r"\text{</mtext></math><script>alert(1)</script>}",
        r"\mathrm{<style>*{display:none}</style>}",
        r"\class{x}{<a href=javascript:alert(1)>y</a>}",
        r'x\text{" onclick="alert(1)}',
    ],
)
def test_no_formula_brings_markup_of_its_own(latex):
    for text in (f"${latex}$", f"$${latex}$$", f"$$\n{latex}\n$$"):
        page = Page(render(text))
        assert page.is_inert
        assert not {"img", "script", "style", "a"} & {tag for tag, _ in page.tags}


def test_a_growing_formula_never_settles_as_something_else():
    text = "The sum:\n\n$$\n\\sum_i i\n- 3\n+ 4\n$$\n\nThen $x$ and text.\n\n\\[\nnever closed\n- so\n\nthe end"
    drawing = GrowingMarkdown()
    settled, still_open = "", ""
    for character in text:
        new, still_open = drawing.add(character)
        settled += new
    assert settled + still_open == render(text)
    assert len(Page(settled).find("math")) == 2
