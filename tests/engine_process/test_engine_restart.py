"""Histories of events, replayed on a clock that the test holds."""

import pytest

from premrunner.engine.supervision.restart import RestartPolicy

History = list[tuple[float, str]]


def replay(history: History) -> RestartPolicy:
    policy = RestartPolicy()
    for now, event in history:
        getattr(policy, event)(now)
    return policy


def test_the_first_start_is_at_once() -> None:
    assert RestartPolicy().may_start(0.0)


@pytest.mark.parametrize(
    ("failures", "delay"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 30), (8, 30), (100, 30)]
)
def test_each_failure_doubles_the_wait_up_to_half_a_minute(failures: int, delay: float) -> None:
    policy = replay([(0.0, event) for _ in range(failures) for event in ("started", "ended")])
    assert policy.retry_at == delay
    assert not policy.may_start(delay - 0.01)
    assert policy.may_start(delay)


def test_a_minute_of_service_makes_the_next_crash_the_first() -> None:
    policy = replay([(0, "started"), (1, "ended"), (2, "started"), (3, "ended"), (5, "started"), (65, "ended")])
    assert policy.retry_at == 65.5


def test_a_crash_just_before_the_minute_still_counts() -> None:
    assert replay([(0, "started"), (1, "ended"), (2, "started"), (61.9, "ended")]).retry_at == 62.9


def test_somebody_who_needs_it_is_not_made_to_wait_half_a_minute() -> None:
    history: History = [(0.0, event) for _ in range(7) for event in ("started", "ended")]
    assert replay([*history, (10.0, "wake")]).may_start(10.0)


def test_many_who_need_it_start_it_once_a_second_at_most() -> None:
    history: History = [(0.0, event) for _ in range(7) for event in ("started", "ended")]
    policy = replay([*history, *((0.001 * number, "wake") for number in range(200))])
    assert not policy.may_start(0.99)
    assert policy.may_start(1.0)


def test_asking_never_puts_an_attempt_off() -> None:
    assert replay([(0, "started"), (0, "ended"), (0.1, "wake")]).retry_at == 0.5


def test_asking_changes_nothing_while_it_runs() -> None:
    assert replay([(0, "started"), (1, "wake")]).retry_at is None
