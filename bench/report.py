"""Tables of figures, and the one report that they make."""

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

# In the order of the report; each is a module beside this one.
AREAS = ("uploads", "chat", "weights", "traces")
# What is missed and why, by hand, a file an area.
NOTES = Path(__file__).parent / "notes"
# How a cell shows that its figure has a bar, and that it stays behind it.
MISSED = "**missed**"
BAR = re.compile(r"[≤≥] \d")

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


@dataclass
class Section:
    """An area with its tables.

    Attributes:
        name: Of the area.
        facts: What it was measured on.
        failure: Why it did not come to its end; empty when it did.
    """

    name: str
    facts: str
    tables: list[Table] = field(default_factory=list)
    failure: str = ""

    def __str__(self) -> str:
        notes = NOTES / f"{self.name}.md"
        parts = [self.name.capitalize(), f"*{self.facts}*", *(str(table).rstrip() for table in self.tables)]
        if self.failure:
            parts.append(f"**Not measured to the end**: {self.failure}.")
        if notes.exists():
            parts.append(notes.read_text(encoding="utf-8").strip())
        return "\n\n".join(parts)


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
    return f"{spread(values, digits)}, {bar if is_met else f'{MISSED} {bar}'}"


def machine_facts() -> str:
    """Return what the figures were made on and when, as a sentence."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    cores = f"{os.cpu_count()} cores ({names[0] if names else platform.machine()})"
    return (
        f"{date.today()}, commit {commit or 'unknown'}; {cores}, "
        f"{memory / 1024**2:.0f} GiB of memory, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load before: {os.getloadavg()[0]:.1f}."
    )


def write(path: Path, sections: Sequence[Section]) -> None:
    """Write the report; areas that are in the file and are not among the sections stay as they are."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    texts = {text.split("\n", 1)[0].lower(): text for text in re.split(r"^## ", old, flags=re.MULTILINE)[1:]}
    texts |= {section.name: str(section) for section in sections}
    body = [
        f"## {texts[name].strip()}" if name in texts else f"## {name.capitalize()}\n\nNot measured yet."
        for name in AREAS
    ]
    parts = ["# Performance", "*Written by `make bench`.*", HOW_TO_READ, bars("\n".join(body)), *body]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def bars(text: str) -> str:
    """Return how many bars a report's tables meet, and where the others stand."""
    met, missed, area = 0, [], ""
    columns: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            area = line.removeprefix("## ")
        if not line.startswith("|"):
            columns = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        columns = columns or cells  # A table's first line.
        for column, cell in zip(columns, cells, strict=True):
            if MISSED in cell:
                missed.append(f"- {area}, {cells[0]}, {column}: {cell}")
            elif BAR.search(cell):
                met += 1
    return "\n".join([f"**Bars: {met} met, {len(missed)} missed.**", *([""] if missed else []), *missed])


def _lines(path: str) -> Sequence[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
