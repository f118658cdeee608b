"""What the worker shall do: a queue on SQLite in the data folder, or on Redis where there are several machines."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from huey import Huey, RedisHuey, SqliteHuey, crontab
from huey.serializer import SignedSerializer

from premrunner.errors import SettingsInvalid, StorageFailed

_NAME = "premrunner"
AGAIN_SECONDS = 5


class JobQueue:
    """Jobs by their name; web processes put them in, the worker takes them out.

    What stands in a queue is unpickled by the worker, so it is signed with the data folder's key.

    Args:
        file: SQLite's file.
        redis_url: Redis instead; empty for none.
        secret: Signs the jobs.
        run_import: Does one import, or tells that it must be tried again; called by the worker alone.
        clean: Removes leftovers; called by the worker alone, every hour.
    """

    def __init__(
        self, file: Path, redis_url: str, secret: str, run_import: Callable[[str], bool], clean: Callable[[], object]
    ) -> None:
        self.huey = _huey(file, redis_url, SignedSerializer(secret=secret))

        def do_import(import_id: str) -> None:
            if not run_import(import_id):
                self._import.schedule((import_id,), delay=AGAIN_SECONDS)

        self._import = self.huey.task(name="import")(do_import)
        self.huey.periodic_task(crontab(minute="7"), name="clean")(lambda: clean())

    def put_import(self, import_id: str) -> None:
        """Have the worker do an import; twice is harmless.

        Raises:
            StorageFailed: The queue would not take it.
        """
        try:
            self._import(import_id)
        except Exception as error:  # Each kind of queue has errors of its own.
            raise StorageFailed("The queue of imports does not take it. Is Redis there?") from error


def _huey(file: Path, redis_url: str, serializer: SignedSerializer) -> Huey:
    if redis_url and find_spec("redis") is None:
        raise SettingsInvalid(["REDIS_URL needs a package that is not installed: pip install premrunner[redis]"])
    if redis_url:
        return RedisHuey(_NAME, url=redis_url, results=False, serializer=serializer)
    # The folder may not be there yet when the queue is made, and a process that never uses it needs no file.
    return SqliteHuey(_NAME, filename=str(file), results=False, serializer=serializer, strict_fifo=True)
