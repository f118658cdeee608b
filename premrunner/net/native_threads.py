"""Native threads for calls that block: under gevent they must not stop the hub, and so everybody's streams.

gevent's own pool has ten threads and also looks names up; whoever moves gigabytes brings a pool of their own.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class NativeThreads:
    """Runs calls on native threads where gevent is at work, and right here where it is not.

    The pool is made by the first call, so that it lives in the process that uses it and not in one that forks.

    Args:
        size: Calls at one time; more wait, without blocking the hub.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool: ThreadPool | None = None

    def run(self, call: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run a call and return what it returns, or raise what it raises.

        A greenlet that is killed meanwhile waits for the call's end all the same: the call may hold descriptors that
        its caller is about to close.
        """
        if not is_module_patched("socket"):
            return call(*args, **kwargs)
        # An error that left the thread by itself would be printed by the hub as well.
        job = self._started.spawn(_outcome, call, args, kwargs)
        try:
            value, error = job.get()
        except BaseException:
            job.wait()
            raise
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def start(self, call: Callable[Arguments, None], *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        """Run a call that raises nothing, and wait for no more than a free thread."""
        if is_module_patched("socket"):
            self._started.spawn(call, *args, **kwargs)
        else:
            call(*args, **kwargs)

    @property
    def _started(self) -> ThreadPool:
        if self._pool is None:
            self._pool = ThreadPool(self._size)
        return self._pool


def _outcome(call: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, BaseException | None]:
    try:
        return call(*args, **kwargs), None
    except BaseException as error:
        return None, error
