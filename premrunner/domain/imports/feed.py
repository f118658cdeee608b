"""What imports tell, for pages that follow it: the same in every web process, until this one ends."""

from collections.abc import Sequence

from premrunner.events import ImportEvent
from premrunner.storage.event_store import EventStore


class EventFeed:
    """Events from a number on.

    Args:
        events: Where they are kept.
    """

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self.is_ended = False

    def latest(self) -> int:
        """Return the last number that was given."""
        return self._events.latest()

    def after(self, number: int) -> Sequence[ImportEvent]:
        """Return the events behind a number, as far as they go by now; costs next to nothing when there are none."""
        return self._events.after(number) if self._events.latest() > number else ()

    def end(self) -> None:
        """Have those who follow leave, because this process is being stopped."""
        self.is_ended = True
