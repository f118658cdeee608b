"""Histories of what an address shows, replayed on a clock that the test holds."""

import pytest

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineStatus
from premrunner.engine.supervision import watch as watch_module
from premrunner.engine.supervision.probe import Probe
from premrunner.engine.supervision.watch import Watch

RUNNING = Probe(EngineStatus.RUNNING, "1")
STARTING = Probe(EngineStatus.STARTING)
STOPPED = Probe(EngineStatus.STOPPED)


class World:
    """A clock, and an address that shows what the test wants."""

    def __init__(self) -> None:
        self.now = 100.0
        self.shows = STOPPED
        self.requests = 0

    def probe(self, address: EngineAddress) -> Probe:
        self.requests += 1
        return self.shows

    def why_unreachable(self, address: EngineAddress) -> str | None:
        return "refused" if self.shows is STOPPED else None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(watch_module, "probe", world.probe)
    monkeypatch.setattr(watch_module, "why_unreachable", world.why_unreachable)
    return world


def watched(world: World, seconds: float, shows: Probe, watch: Watch) -> list[EngineStatus]:
    """Look four times a second while the address shows one thing; return what the watch thought, without repeats."""
    world.shows = shows
    thoughts: list[EngineStatus] = []
    for _ in range(int(seconds * 4)):
        world.now += 0.25
        thought = watch.look().state
        if not thoughts or thoughts[-1] is not thought:
            thoughts.append(thought)
    return thoughts


def test_a_running_engine_is_asked_four_times_a_minute_only(world: World) -> None:
    watch = Watch(EngineAddress(), lambda: world.now)
    watched(world, 60, RUNNING, watch)
    assert world.requests == 4


def test_an_engine_that_goes_is_noticed_within_about_a_second(world: World) -> None:
    watch = Watch(EngineAddress(), lambda: world.now)
    watched(world, 5, RUNNING, watch)
    assert watched(world, 1.25, STOPPED, watch)[-1] is EngineStatus.STOPPED


def test_an_engine_that_misses_some_answers_is_busy_and_not_gone(world: World) -> None:
    watch = Watch(EngineAddress(), lambda: world.now)
    watched(world, 14, RUNNING, watch)
    assert watched(world, 8, STARTING, watch) == [EngineStatus.RUNNING]
    assert watched(world, 5, RUNNING, watch) == [EngineStatus.RUNNING]


def test_an_engine_that_hangs_is_believed_for_a_while_and_then_not(world: World) -> None:
    watch = Watch(EngineAddress(), lambda: world.now)
    watched(world, 14, RUNNING, watch)
    assert watched(world, 30, STARTING, watch) == [EngineStatus.RUNNING, EngineStatus.STARTING]
    assert watch.silent_seconds > 25


def test_while_somebody_waits_for_it_it_is_looked_at_often_and_later_once_a_second(world: World) -> None:
    watch = Watch(EngineAddress(), lambda: world.now)
    watched(world, 10, STOPPED, watch)
    assert world.requests == 40
    watched(world, 10, STOPPED, watch)
    world.requests = 0
    watched(world, 20, STOPPED, watch)
    assert world.requests == 20


def test_the_time_of_a_condition_starts_anew_with_each_change(world: World) -> None:
    watch = Watch(EngineAddress(), lambda: world.now)
    watched(world, 100, STOPPED, watch)
    watched(world, 2, STARTING, watch)
    assert watch.known_seconds < 2.5
    assert watch.silent_seconds > 100
