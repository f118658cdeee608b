"""The report of `make bench`: what it counts, what it keeps, what a failing area does to it."""

import pytest

from bench.__main__ import measure
from bench.report import Section, Table, bars, judged, write


@pytest.fixture
def section() -> Section:
    table = Table("Speed", ("", "ms", "x peer"))
    table.add("ours", judged([1, 2, 3], most=2), judged([0.4, 0.5], least=0.8))
    table.add("a peer", "5", "1")
    return Section("chat", "2 cores", [table])


def test_bars_are_counted_and_those_that_are_missed_are_named(section):
    assert (
        bars(f"## {section}")
        == "**Bars: 1 met, 1 missed.**\n\n- Chat, ours, x peer: 0.45 (0.40-0.50), **missed** ≥ 0.8"
    )


def test_an_area_that_did_not_run_keeps_what_was_measured_before(section, tmp_path):
    report = tmp_path / "performance.md"
    write(report, [section])
    before = report.read_text()
    assert "2.00 (1.00-3.00), ≤ 2" in before
    assert "- Chat, ours, x peer: 0.45" in before
    write(report, [Section("traces", "4 cores", [Table("Reading", ("", "ms"), [("list", "1")])])])
    after = report.read_text()
    assert "| list | 1 |" in after
    assert before.split("## Chat")[1].split("## Weights")[0] in after


def test_an_area_that_fails_is_reported_and_is_not_the_end():
    section = Section("no_such_area", "")
    measure(section, is_full=False)
    assert "No module named 'bench.no_such_area'" in section.failure
    assert "Not measured to the end" in str(section)
