"""The API does what its own description says."""

from .environments import run_pytest


def test_nothing_made_up_finds_a_500_or_an_answer_off_its_schema(live_server):
    assert run_pytest("schemathesis", "check_schema.py", live_server) >= 20
