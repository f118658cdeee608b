"""Places a model: who runs, who waits, who is told to come back."""

import threading
import time
from functools import partial

import pytest

from premrunner.domain.admission import Admission, Ticket
from premrunner.errors import Cancelled, Overloaded
from premrunner.metrics import Metrics


def wait_until(claim, seconds=5):
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def enter_in_thread(admission, order, name):
    def run():
        admission.enter("m", Ticket())
        order.append(name)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def waiting(admission):
    return len(admission._lanes["m"].waiting) if "m" in admission._lanes else 0


def test_places_go_to_who_came_first():
    admission, order = Admission(1, 10, 5, Metrics()), []
    admission.enter("m", Ticket())
    threads = []
    for name in ("first", "second", "third"):
        threads.append(enter_in_thread(admission, order, name))
        wait_until(lambda: waiting(admission) == len(threads))
    for so_far in (["first"], ["first", "second"], ["first", "second", "third"]):
        admission.leave("m")
        wait_until(partial(order.__eq__, so_far))
    for thread in threads:
        thread.join()
    assert order == ["first", "second", "third"]


def test_models_do_not_wait_for_each_other():
    admission = Admission(1, 0, 5, Metrics())
    admission.enter("a", Ticket())
    admission.enter("b", Ticket())


def test_a_full_queue_is_told_at_once():
    admission = Admission(2, 0, 60, Metrics())
    admission.enter("m", Ticket())
    admission.enter("m", Ticket())
    begun = time.monotonic()
    with pytest.raises(Overloaded, match="2 requests run and 0 wait") as caught:
        admission.enter("m", Ticket())
    assert caught.value.retry_after_seconds > 0
    assert time.monotonic() - begun < 1


def test_nobody_waits_without_end():
    admission = Admission(1, 1, 0.05, Metrics())
    admission.enter("m", Ticket())
    with pytest.raises(Overloaded, match="busy for"):
        admission.enter("m", Ticket())
    assert waiting(admission) == 0


def test_who_leaves_the_queue_takes_no_place():
    admission = Admission(1, 5, 60, Metrics())
    admission.enter("m", Ticket())
    ticket = Ticket()
    threading.Timer(0.05, ticket.cancel).start()
    with pytest.raises(Cancelled):
        admission.enter("m", ticket)
    admission.leave("m")
    admission.enter("m", Ticket())


def test_a_place_given_back_by_the_last_leaves_nothing_behind():
    admission = Admission(3, 0, 1, Metrics())
    admission.enter("m", Ticket())
    admission.leave("m")
    assert admission._lanes == {}


def test_never_more_run_than_there_are_places():
    admission, running, most = Admission(3, 100, 10, Metrics()), [], []

    def run():
        admission.enter("m", Ticket())
        running.append(1)
        most.append(len(running))
        time.sleep(0.002)
        running.pop()
        admission.leave("m")

    threads = [threading.Thread(target=run) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 40
    assert max(most) <= 3
    assert admission._lanes == {}
