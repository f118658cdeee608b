"""``premrunner worker``: the process that does imports, and removes what others left.

What takes long never runs in a web process: hashing a gigabyte there would stop every stream for a second.
"""

import logging
import os
import signal
import threading
import time
from types import FrameType

from huey.consumer import Consumer

from premrunner.app import create_app, prepare_database, settle_dead_processes
from premrunner.config import Settings
from premrunner.storage.job_queue import JobQueue
from premrunner.web.services import Services

# An idle worker looks that often: an import begins within this time, and a look costs a fraction of a millisecond.
LOOK_SECONDS = 0.25
# Stages look for the end three times a second.
END_SECONDS = 4.0
PARENT_LOOK_SECONDS = 0.5
CLEANING_EVERY_SECONDS = 60
# What processes on another machine left when they died, and what the queue lost.
RESUME_EVERY_SECONDS = 300.0


class Worker:
    """Does one import after the other until a signal comes, or its parent is gone.

    Args:
        settings: Of the data folder whose imports it does.
    """

    def __init__(self, settings: Settings) -> None:
        app = create_app(settings)
        # By itself, it may be the first on a new version.
        prepare_database(app)
        # What huey says of its own doings is said by the imports themselves.
        logging.getLogger("huey").setLevel(logging.ERROR)
        self._app = app
        services: Services = app.extensions["premrunner"]
        self._execution = services.execution
        self._jobs: JobQueue = app.extensions["premrunner_jobs"]
        self._tracing = services.tracing
        self._ended = threading.Event()
        # `premrunner serve` names itself here, and nobody else would end us when it is killed.
        self._supervisor = int(os.environ.get("PREMRUNNER_SUPERVISOR_PID", "0"))

    def run(self) -> None:
        """Work until the end; an import at work is interrupted, and goes on with the next worker."""
        consumer = Consumer(
            self._jobs.huey,
            workers=1,
            initial_delay=LOOK_SECONDS,
            max_delay=LOOK_SECONDS,
            scheduler_interval=CLEANING_EVERY_SECONDS,
            check_worker_health=True,
        )
        consumer.start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        self._execution.clean()
        resumed_at = float("-inf")
        while not self._ended.wait(PARENT_LOOK_SECONDS):
            if time.monotonic() - resumed_at > RESUME_EVERY_SECONDS:
                resumed_at = time.monotonic()
                self._execution.resume(self._jobs.put_import)
                settle_dead_processes(self._app)
            consumer.check_worker_health()
            if self._supervisor and os.getppid() != self._supervisor:
                self._end(0, None)
        consumer.stop_flag.set()
        for _, thread in consumer.worker_threads:
            thread.join(END_SECONDS)
        self._tracing.close()

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._execution.ending.set()
        self._ended.set()
