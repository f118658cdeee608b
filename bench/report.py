"""Tables of figures, and the one report that they make."""

import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

HOW_TO_READ = """\
Every figure is the median of some repeats, with the smallest and the largest in parentheses; the configurations took
turns, so what disturbs the machine disturbs all of them. Trust the ratios, which were taken in one run, and the CPU
seconds; megabytes and milliseconds belong to this machine. A bar is what a release must reach; **missed** says where it
did not, and the note below the table says why."""


@dataclass
class Table:
    """Some figures that belong together.

    Attributes:
        title: What was measured, and how often.
        columns: Headings; the first names the row.
        rows: Texts.
        notes: What a reader must know, a paragraph each.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def __str__(self) -> str:
        lines = [f"### {self.title}", "", _line(self.columns), "|" + "---|" * len(self.columns)]
        lines += [_line(row) for row in self.rows]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes), ""])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median with the smallest and the largest."""
    if not values:
        return "-"
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}-{high})"


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return each value by the other's of the same repeat."""
    return [value / other for value, other in zip(values, others, strict=True)]


def judged(values: Sequence[float], *, most: float | None = None, least: float | None = None, digits: int = 2) -> str:
    """Return the spread with a bar for its median, and whether it was missed."""
    middle = statistics.median(values)
    bar = f"≤ {most:g}" if most is not None else f"≥ {least:g}"
    is_met = middle <= most if most is not None else middle >= (least or 0)
    return f"{spread(values, digits)}, {bar if is_met else f'**missed** {bar}'}"


def machine_facts() -> Sequence[str]:
    """Return what the figures were made on, a line each."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return [
        f"{date.today()}, commit {commit or 'unknown'}",
        f"{os.cpu_count()} cores ({names[0] if names else platform.machine()}), {memory / 1024**2:.0f} GiB of memory",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"load before: {os.getloadavg()[0]:.1f}",
    ]


def write(path: Path, areas: Mapping[str, Sequence[Table]], facts: Sequence[str]) -> None:
    """Write the report of all areas."""
    parts = ["# Performance", "*Written by `make bench`.*", HOW_TO_READ, "\n".join(f"- {fact}" for fact in facts)]
    for name, tables in areas.items():
        parts += [f"## {name.capitalize()}", *(str(table).rstrip() for table in tables)]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _lines(path: str) -> Sequence[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
