"""Noticing clients that leave."""

import socket
import threading
import time

import pytest

from premrunner.net import departure
from premrunner.net.departure import DepartureWatch, has_left


@pytest.fixture(params=["asked at once", "read from"])
def pair(request, monkeypatch):
    if request.param == "read from":  # As systems do that know no hang-up.
        monkeypatch.setattr(departure, "HANG_UP", None)
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_silent_client_is_there(pair):
    ours, _ = pair
    assert not has_left(ours)


def test_a_client_that_has_sent_something_is_there_and_its_bytes_stay(pair):
    ours, theirs = pair
    theirs.send(b"next request")
    assert not has_left(ours)
    assert ours.recv(100) == b"next request"


def test_a_client_that_closed_has_left(pair):
    ours, theirs = pair
    theirs.close()
    assert has_left(ours)


def test_a_socket_closed_by_ourselves_counts_as_left(pair):
    ours, _ = pair
    ours.close()
    assert has_left(ours)


def test_a_departure_is_called_once_and_soon(pair):
    ours, theirs = pair
    called = []
    gone = threading.Event()

    def on_departure() -> None:
        called.append(time.monotonic())
        gone.set()

    watch = DepartureWatch()
    with watch.watch(ours, on_departure):
        time.sleep(0.15)
        assert not called
        left_at = time.monotonic()
        theirs.close()
        assert gone.wait(2)
        time.sleep(0.25)
    assert len(called) == 1
    assert called[0] - left_at < 1


def test_who_leaves_after_the_watch_is_not_missed(pair):
    ours, theirs = pair
    called = []
    watch = DepartureWatch()
    with watch.watch(ours, lambda: called.append(1)):
        pass
    theirs.close()
    time.sleep(0.3)
    assert not called


def test_a_server_without_a_socket_to_show_is_served_all_the_same():
    with DepartureWatch().watch(None, lambda: pytest.fail("nobody can leave")):
        time.sleep(0.15)
