"""Each line of docs/security.md names tests, and they exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LINES = [
    line for line in (ROOT / "docs/security.md").read_text().splitlines() if re.match(r"\| (?!\*\*|threat|-)", line)
]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_a_threat_has_a_defence_and_tests_that_exist(line):
    _, threat, defence, tests, _ = line.split("|")
    assert len(threat.strip()) > 10
    assert len(defence.strip()) > 10
    named = re.findall(r"`(test_\w+)`", tests)
    assert named or "`make check`" in defence
    assert set(named) <= TESTS
