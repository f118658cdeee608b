"""Guessing tokens is slow."""

import pytest

from premrunner.domain.attempts import ADDRESSES_MOST, WINDOW_SECONDS, WRONG_MOST, Attempts
from premrunner.errors import TooManyAttempts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_sixth_wrong_try_of_a_minute_is_refused_and_the_next_minute_begins_anew():
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(WRONG_MOST):
        attempts.check("a")
        attempts.failed("a")
    with pytest.raises(TooManyAttempts) as caught:
        attempts.check("a")
    assert 0 < caught.value.retry_after_seconds <= WINDOW_SECONDS + 1
    attempts.check("b")
    clock.now += WINDOW_SECONDS + 1
    attempts.check("a")


def test_a_flood_of_addresses_does_not_fill_the_memory():
    attempts = Attempts(Clock())
    for number in range(ADDRESSES_MOST + 50):
        attempts.failed(str(number))
    assert len(attempts._wrong) == ADDRESSES_MOST
