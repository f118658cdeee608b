"""How long traces are kept, and deleting them: always in small pieces, between which the writer has its turn."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone

from premrunner.errors import TraceNotFound
from premrunner.net.native_threads import NativeThreads
from premrunner.records import TraceFilter, id_at, new_id
from premrunner.storage.setting_store import SettingStore
from premrunner.storage.trace_query import Place
from premrunner.storage.trace_removal import TraceRemoval
from premrunner.storage.trace_store import TraceStore

logger = logging.getLogger(__name__)

# A piece holds the database's lock for some milliseconds.
PIECE_ROWS = 200
PAUSE_SECONDS = 0.01
SETTING = "keep_traces"


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
class Kept:
    """What is kept at this moment.

    Attributes:
        keeping: For how long.
        calls: How many calls there are.
        outdated: How many of them will go at the next cleaning.
        total_bytes: What the database takes on disk.
        free_bytes: What of it new rows will fill before it grows.
    """

    keeping: Keeping
    calls: int
    outdated: int
    total_bytes: int
    free_bytes: int


class TraceRetention:
    """Deletes traces.

    Args:
        store: Finds them.
        removal: Deletes some.
        settings: Have what was chosen in the site.
        default: How long they are kept where nothing was chosen.
        threads: Where what waits for the disk runs.
    """

    def __init__(
        self,
        store: TraceStore,
        removal: TraceRemoval,
        settings: SettingStore,
        default: Keeping,
        threads: NativeThreads,
    ) -> None:
        self._store = store
        self._removal = removal
        self._settings = settings
        self._default = default
        self._threads = threads

    def keeping(self) -> tuple[Keeping, int]:
        """Return how long calls are kept, and the bytes of the database on disk."""
        return self._threads.run(lambda: (self._keeping(), self._removal.disk_bytes()[0]))

    def kept(self) -> Kept:
        """Return what is kept, for how long, and what of it is outdated, which takes a look along the calls."""
        return self._threads.run(self._kept)

    def outdated(self, keeping: Keeping) -> int:
        """Return how many calls would go if they were kept so long."""
        return self._threads.run(self._outdated, keeping)

    def keep(self, keeping: Keeping) -> None:
        """Keep calls so long from now on; what is outdated goes at the next cleaning."""
        self._threads.run(self._settings.put, SETTING, asdict(keeping))
        logger.info("Traces are kept for %s days, at most %s; 0 is no limit.", keeping.days, keeping.count)

    def apply(self) -> int:
        """Delete what has been kept long enough and return how many calls that were."""
        border = self._threads.run(lambda: self._border(self._keeping()))
        if not border:
            return 0
        deleted = self._in_pieces(lambda: self._threads.run(self._removal.outdated, border, PIECE_ROWS))
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

    def _keeping(self) -> Keeping:
        chosen = self._settings.get(SETTING)
        return Keeping(**chosen) if chosen else self._default

    def _kept(self) -> Kept:
        keeping = self._keeping()
        total_bytes, free_bytes = self._removal.disk_bytes()
        return Kept(keeping, self._store.count(TraceFilter()), self._outdated(keeping), total_bytes, free_bytes)

    def _outdated(self, keeping: Keeping) -> int:
        """Count from the sums: to look for the calls themselves takes a second at a million."""
        older = [0]
        if keeping.days:
            older.append(self._store.count(TraceFilter(until=_days_ago(keeping.days))))
        if keeping.count:
            older.append(self._store.count(TraceFilter()) - keeping.count)
        border = self._border(keeping)
        return max(max(older) - self._removal.spared(border), 0) if border else 0

    def _border(self, keeping: Keeping) -> str:
        """Return the id up to and with which calls are outdated; empty when none is."""
        by_count = self._removal.nth_newest(keeping.count) if keeping.count else ""
        return max(by_count, id_at(_days_ago(keeping.days)) if keeping.days else "")

    def _in_pieces(self, find: Callable[[], Sequence[str]]) -> int:
        deleted = 0
        while piece := find():
            deleted += self._threads.run(self._removal.delete, piece)
            time.sleep(PAUSE_SECONDS)
        if deleted:
            self._threads.run(self._removal.prune)
        return deleted


def _days_ago(days: int) -> datetime:
    return datetime.now(timezone.utc) - timedelta(days=days)
