"""Calls, latency and tokens over time as drawings: what the template fills in as SVG.

The server computes paths and leaves colours to the stylesheet; the same figures stand beside them in a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from premrunner.domain.trace_statistics import Column, Statistics
from premrunner.web.pages.formats import duration_text

# The drawing's own units; the page stretches it to its place.
WIDTH, HEIGHT = 360, 96
GAP = 0.25
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Line:
    """One series of a chart.

    Attributes:
        name: Its label.
        kind: Its class in the stylesheet.
        path: Its shape.
        total: Its figure over the whole time.
    """

    name: str
    kind: str
    path: str
    total: str


@dataclass(frozen=True)
class Chart:
    """A drawing.

    Attributes:
        title: What it shows.
        top: What its upper edge stands for.
        lines: Its series, the one in front last.
    """

    title: str
    top: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Charts:
    """The drawings of the same time, side by side.

    Attributes:
        begin: When they begin.
        end: When they end.
        step: How much time a column stands for.
        charts: The drawings.
        columns: Their figures, for the table.
    """

    begin: datetime
    end: datetime
    step: str
    charts: Sequence[Chart]
    columns: Sequence[Column]


def charts_of(found: Statistics) -> Charts | None:
    """Return the drawings of some figures; None when nothing has been called."""
    if not found.whole.calls:
        return None
    columns = found.columns
    return Charts(
        begin=columns[0].start,
        end=columns[-1].start + found.width,
        step=_step(found.width),
        charts=[_calls(columns, found.whole), _latency(columns, found.whole), _tokens(columns, found.whole)],
        columns=columns,
    )


def _calls(columns: Sequence[Column], whole: Column) -> Chart:
    top = _round_up(max(column.calls for column in columns))
    lines = [
        Line("Calls", "calls", _bars(columns, lambda column: (0, column.calls), top), count_text(whole.calls)),
        Line("Failed", "failed", _bars(columns, lambda column: (0, column.failed), top), count_text(whole.failed)),
    ]
    return Chart("Calls", count_text(top), lines)


def _latency(columns: Sequence[Column], whole: Column) -> Chart:
    top = _round_up(max((column.p95_ms or 0 for column in columns), default=0))
    lines = [
        Line("95 of 100 within", "p95", _curve(columns, lambda column: column.p95_ms, top), _time(whole.p95_ms)),
        Line("Half within", "p50", _curve(columns, lambda column: column.p50_ms, top), _time(whole.p50_ms)),
    ]
    return Chart("Latency", duration_text(top), lines)


def _tokens(columns: Sequence[Column], whole: Column) -> Chart:
    top = _round_up(max(column.prompt_tokens + column.completion_tokens for column in columns))

    def asked(column: Column) -> tuple[float, float]:
        return 0, column.prompt_tokens

    def answered(column: Column) -> tuple[float, float]:
        return column.prompt_tokens, column.prompt_tokens + column.completion_tokens

    lines = [
        Line("Prompt", "prompt", _bars(columns, asked, top), count_text(whole.prompt_tokens)),
        Line("Answer", "answer", _bars(columns, answered, top), count_text(whole.completion_tokens)),
    ]
    return Chart("Tokens", count_text(top), lines)


def _bars(columns: Sequence[Column], extent: Callable[[Column], tuple[float, float]], top: float) -> str:
    """Return bars as one path: from the lower to the upper end of each column."""
    step, parts = WIDTH / len(columns), []
    width = max(step * (1 - GAP), 0.5)
    for number, column in enumerate(columns):
        low, high = (HEIGHT * (1 - value / top) for value in extent(column))
        if low - high > 0:
            # Even one call among thousands is to be seen.
            high = min(high, low - 1)
            left = number * step + (step - width) / 2
            parts.append(f"M{left:.1f} {low:.1f}h{width:.1f}V{high:.1f}h-{width:.1f}z")
    return "".join(parts)


def _curve(columns: Sequence[Column], value: Callable[[Column], float | None], top: float) -> str:
    """Return a line that breaks where there is no value; a value alone is a short stroke."""
    step, parts, is_open = WIDTH / len(columns), [], False
    for number, column in enumerate(columns):
        height = value(column)
        if height is None:
            is_open = False
            continue
        middle, level = (number + 0.5) * step, HEIGHT * (1 - height / top)
        parts.append(
            f"L{middle:.1f} {level:.1f}" if is_open else f"M{middle - step / 4:.1f} {level:.1f}h{step / 4:.1f}"
        )
        is_open = True
    return "".join(parts)


def _round_up(value: float) -> float:
    """Return the next number above that people like to read: 1, 2 or 5 with zeros."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= value:
                return digit * power
        power *= 10


def count_text(count: float) -> str:
    """Return a number as short as it is read: 12, 3.4k, 1.2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if count >= size:
            shown = count / (1000 if letter == "k" else size)
            return f"{shown:.0f}{letter}" if shown >= 100 or shown == int(shown) else f"{shown:.1f}{letter}"
    return f"{count:,.0f}"


def _time(duration_ms: float | None) -> str:
    return "none" if duration_ms is None else duration_text(duration_ms)


def _step(width: timedelta) -> str:
    if width < HOUR:
        return f"{width // timedelta(minutes=1)} minutes"
    if width < DAY:
        return "hour"
    return "day" if width == DAY else "week" if width == 7 * DAY else f"{width // (7 * DAY)} weeks"
