"""How long traces are kept, and deleting them: always in small pieces, between which the writer has its turn."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from premrunner.errors import TraceNotFound
from premrunner.net.native_threads import NativeThreads
from premrunner.records import TraceFilter, id_at, new_id
from premrunner.storage.trace_query import Place
from premrunner.storage.trace_removal import TraceRemoval
from premrunner.storage.trace_store import TraceStore

logger = logging.getLogger(__name__)

# A piece holds the database's lock for some milliseconds.
PIECE_ROWS = 200
PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Keeping:
    """How long traces are kept; judged ones are kept for ever.

    Attributes:
        days: Older ones go; 0 keeps every age.
        count: Of more than so many the oldest go; 0 keeps any number.
    """

    days: int = 0
    count: int = 0


@dataclass(frozen=True)
class DiskUse:
    """What the database takes on disk.

    Attributes:
        total_bytes: All of it.
        free_bytes: What of it new rows will fill before it grows.
    """

    total_bytes: int
    free_bytes: int


class TraceRetention:
    """Deletes traces.

    Args:
        store: Finds them.
        removal: Deletes some.
        keeping: How long they are kept.
        threads: Where what waits for the disk runs.
    """

    def __init__(self, store: TraceStore, removal: TraceRemoval, keeping: Keeping, threads: NativeThreads) -> None:
        self.keeping = keeping
        self._store = store
        self._removal = removal
        self._threads = threads

    def apply(self) -> int:
        """Delete what has been kept long enough and return how many calls that were; for the worker."""
        borders = [self._removal.nth_newest(self.keeping.count) if self.keeping.count else ""]
        if self.keeping.days:
            borders.append(id_at(datetime.now(timezone.utc) - timedelta(days=self.keeping.days)))
        border = max(borders)
        deleted = self._in_pieces(lambda: self._removal.outdated(border, PIECE_ROWS)) if border else 0
        if deleted:
            logger.info("%s outdated traces deleted.", deleted)
        return deleted

    def delete(self, trace_id: str) -> None:
        """Delete one call.

        Raises:
            TraceNotFound: There is none of that id.
        """
        if not self._threads.run(self._removal.delete, [trace_id]):
            raise TraceNotFound

    def delete_all(self, wanted: TraceFilter, newest: str = "") -> int:
        """Delete the calls that a filter means and return how many there were.

        Args:
            wanted: The filter.
            newest: Id of the newest call that its caller knows of, or of this moment; later ones stay.
        """
        place = Place(before=f"{newest or new_id()}~")  # Behind the id itself, before every other one.
        deleted = self._in_pieces(lambda: self._threads.run(self._store.ids, wanted, place, PIECE_ROWS))
        logger.info("%s traces deleted.", deleted)
        return deleted

    def disk_use(self) -> DiskUse:
        """Return what the database takes on disk."""
        return DiskUse(*self._threads.run(self._removal.disk_bytes))

    def _in_pieces(self, find: Callable[[], Sequence[str]]) -> int:
        deleted = 0
        while piece := find():
            deleted += self._threads.run(self._removal.delete, piece)
            time.sleep(PAUSE_SECONDS)
        if deleted:
            self._threads.run(self._removal.prune)
        return deleted
