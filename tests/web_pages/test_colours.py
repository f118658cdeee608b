"""The stylesheet's colours can be told apart, light and dark, on every surface."""

import re
from itertools import product
from pathlib import Path

import pytest

from premrunner.web.pages.assets import FOLDER

TOKENS = dict(
    re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", Path(FOLDER / "site.css").read_text()),
)
SURFACES = ("paper", "raised", "sunken", "accent-wash", "bad-wash", "warn-wash")
TEXTS = ("ink", "soft", "accent", "accent-strong", "good", "bad", "warn")
ON = (("on-accent", "accent"), ("on-accent", "accent-strong"), ("on-bad", "bad"), ("paper", "ink"))
# Edges of controls, parts of charts; the page's own surfaces.
MARKS = ("edge", "phase-queued", "phase-load", "phase-prefill", "phase-decode", "kind-database")


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str, scheme: int) -> float:
    darker, lighter = sorted(luminance(TOKENS[name].split(", ")[scheme]) for name in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_reaches_aa_on_every_surface(scheme):
    for text, surface in (*product(TEXTS, SURFACES), *ON):
        assert contrast(text, surface, scheme) >= 4.5, (text, surface)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_mark_reaches_aa_where_marks_are(scheme):
    for mark, surface in product(MARKS, ("paper", "raised", "sunken")):
        assert contrast(mark, surface, scheme) >= 3, (mark, surface)
