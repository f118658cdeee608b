"""Which models are loaded: on demand, kept alive, the least recently used evicted, with a bound on the queue."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from premrunner.builtin.model_process import ModelSettings
from premrunner.builtin.refusals import QUEUE_FULL, Refusal
from premrunner.builtin.runner import Runner, RunnerKey
from premrunner.errors import Cancelled
from premrunner.net.http import Cancellation

logger = logging.getLogger(__name__)

# A waiting request looks this often whether its client has left.
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class RunnerPlan:
    """What a request needs loaded.

    Attributes:
        key: Requests with the same key can share a runner.
        settings: How to load it; a runner with another context is loaded anew as soon as it is idle.
        model_name: As whom ``/api/ps`` shows it.
    """

    key: RunnerKey
    settings: ModelSettings
    model_name: str


@dataclass
class Loaded:
    """A runner and who uses it; every field is guarded by the lock of its `Runners`."""

    plan: RunnerPlan
    runner: Runner
    keep_alive_seconds: float
    users: int = 0
    is_loading: bool = True
    failure: Refusal | None = None
    # A request waits for its place; whoever comes later does not join it.
    is_retiring: bool = False
    last_used_at: float = field(default_factory=time.monotonic)

    @property
    def expires_in_seconds(self) -> float:
        """How long it stays if nobody asks again; the count starts at the end of the last request."""
        return self.last_used_at + self.keep_alive_seconds - time.monotonic()


class Runners:
    """All loaded models of this process.

    Args:
        make: Makes a runner, not yet started.
        most: Models loaded at the same time.
        waiting_most: Requests that may wait for a model or for a free slot of one.
    """

    def __init__(self, make: Callable[[ModelSettings], Runner], *, most: int, waiting_most: int) -> None:
        self._make = make
        self._most = most
        self._waiting_most = waiting_most
        self._loaded: dict[RunnerKey, Loaded] = {}
        self._waiting = 0
        self._changed = threading.Condition()
        self._is_closed = False
        threading.Thread(target=self._expire, name="keep-alive", daemon=True).start()

    @contextmanager
    def use(self, plan: RunnerPlan, keep_alive_seconds: float, cancellation: Cancellation) -> Iterator[Runner]:
        """Give a loaded runner for the block, loading it and making room for it where necessary.

        Args:
            plan: What is needed.
            keep_alive_seconds: How long it stays loaded after the block; 0 unloads, infinity keeps it.
            cancellation: Ends the wait when the client has left.

        Raises:
            Refusal: 503 when too many wait; 500 when the model cannot be loaded.
            Cancelled: The client left.
        """
        loaded = self._join(plan, keep_alive_seconds, cancellation)
        try:
            self._await_load(loaded, cancellation)
            yield loaded.runner
        finally:
            self._leave(loaded)

    def unload(self, is_meant: Callable[[RunnerPlan], bool]) -> None:
        """Unload models: at once if idle, else when their last request has ended.

        Args:
            is_meant: Tells whether what was loaded for a plan shall go.
        """
        with self._changed:
            for loaded in [loaded for loaded in self._loaded.values() if is_meant(loaded.plan)]:
                loaded.keep_alive_seconds = 0.0
                if loaded.users == 0:
                    self._drop(loaded)

    def ready(self) -> list[Loaded]:
        """Return what is loaded and alive, the most recently used first."""
        with self._changed:
            self._drop_dead()
            ready = [loaded for loaded in self._loaded.values() if not loaded.is_loading and not loaded.failure]
        return sorted(ready, key=lambda loaded: loaded.last_used_at, reverse=True)

    def close(self) -> None:
        """Stop every model and start no more."""
        with self._changed:
            self._is_closed = True
            for loaded in list(self._loaded.values()):
                self._drop(loaded)

    def _join(self, plan: RunnerPlan, keep_alive_seconds: float, cancellation: Cancellation) -> Loaded:
        with self._changed:
            self._refuse_if_crowded(plan)
            self._waiting += 1
            try:
                while (loaded := self._place(plan)) is None:
                    self._wait(cancellation)
            finally:
                self._waiting -= 1
            loaded.users += 1
            loaded.keep_alive_seconds = keep_alive_seconds
            return loaded

    def _place(self, plan: RunnerPlan) -> Loaded | None:
        """Return the runner to join, starting one if there is room; None while there is not. Holds the lock."""
        if self._is_closed:
            raise Refusal("the engine is shutting down", HTTPStatus.SERVICE_UNAVAILABLE)
        self._drop_dead()
        loaded = self._loaded.get(plan.key)
        if loaded is not None:
            if loaded.plan.settings == plan.settings and not loaded.is_retiring:
                return loaded
            self._retire(loaded)
            return None
        if len(self._loaded) >= self._most:
            self._retire(min(self._loaded.values(), key=_eviction_order))
            return None
        return self._begin_load(plan)

    def _retire(self, loaded: Loaded) -> None:
        """Drop a runner if it is idle, else let it end what it does and take nothing new."""
        loaded.is_retiring = True
        if loaded.users == 0:
            self._drop(loaded)

    def _begin_load(self, plan: RunnerPlan) -> Loaded:
        loaded = Loaded(plan, self._make(plan.settings), keep_alive_seconds=0.0)
        self._loaded[plan.key] = loaded
        threading.Thread(target=self._load, args=[loaded], name="model load", daemon=True).start()
        return loaded

    def _load(self, loaded: Loaded) -> None:
        failure = None
        started_at = time.monotonic()
        try:
            loaded.runner.start()
        except Refusal as refusal:
            failure = refusal
        except Exception:
            logger.exception("Starting a model process failed")
            failure = Refusal(
                "model failed to load: its process could not be started", HTTPStatus.INTERNAL_SERVER_ERROR
            )
        with self._changed:
            loaded.is_loading, loaded.failure = False, failure
            if failure:
                self._drop(loaded)
            self._changed.notify_all()
        seconds = round(time.monotonic() - started_at, 3)
        outcome = "could not be loaded" if failure else "was loaded"
        logger.info("A model %s", outcome, extra={"model": loaded.plan.model_name, "seconds": seconds})

    def _await_load(self, loaded: Loaded, cancellation: Cancellation) -> None:
        with self._changed:
            while loaded.is_loading:
                self._wait(cancellation)
            if loaded.failure:  # One for each who waits: an exception collects the frames it passes.
                raise Refusal(loaded.failure.message, loaded.failure.status)

    def _leave(self, loaded: Loaded) -> None:
        with self._changed:
            loaded.users -= 1
            loaded.last_used_at = time.monotonic()
            is_unwanted = loaded.is_loading or loaded.is_retiring or loaded.keep_alive_seconds <= 0
            if loaded.users == 0 and is_unwanted:
                self._drop(loaded)
            self._changed.notify_all()

    def _refuse_if_crowded(self, plan: RunnerPlan) -> None:
        loaded = self._loaded.get(plan.key)
        without_slot = max(loaded.users - plan.settings.slots, 0) if loaded else 0
        if self._waiting + without_slot >= self._waiting_most:
            raise Refusal(QUEUE_FULL, HTTPStatus.SERVICE_UNAVAILABLE)

    def _wait(self, cancellation: Cancellation) -> None:
        self._changed.wait(_LOOK_EVERY_SECONDS)
        if cancellation.is_cancelled:
            raise Cancelled

    def _drop_dead(self) -> None:
        for loaded in list(self._loaded.values()):
            if not loaded.is_loading and not loaded.runner.is_alive:
                self._drop(loaded)

    def _drop(self, loaded: Loaded) -> None:
        """Forget a runner and end its process. Holds the lock; a killed process is gone within milliseconds."""
        if self._loaded.get(loaded.plan.key) is loaded:
            del self._loaded[loaded.plan.key]
        loaded.runner.stop()

    def _expire(self) -> None:
        with self._changed:
            while not self._is_closed:
                idle = [loaded for loaded in self._loaded.values() if loaded.users == 0]
                for loaded in idle:
                    if loaded.expires_in_seconds <= 0:
                        self._drop(loaded)
                pauses = [loaded.expires_in_seconds for loaded in idle if loaded.expires_in_seconds > 0]
                self._changed.wait(min([60.0, *pauses]))


def _eviction_order(loaded: Loaded) -> tuple[bool, bool, float]:
    """Idle ones go first, then one that is leaving anyway, then the least recently used."""
    return loaded.users > 0, not loaded.is_retiring, loaded.last_used_at
