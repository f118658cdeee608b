"""A conversation as a tree: each message follows another, and messages that follow the same one are its versions."""

from collections.abc import Iterable, Sequence

from premrunner.errors import MessageNotFound
from premrunner.storage.chat_message_store import MessagePlace


class Tree:
    """Where each message stands.

    Args:
        places: All messages of one conversation, in the order of time.
    """

    def __init__(self, places: Iterable[MessagePlace]) -> None:
        self._places = {place.id: place for place in places}
        self._children: dict[str | None, list[str]] = {}
        for place in self._places.values():
            self._children.setdefault(place.parent_id, []).append(place.id)

    def path_to(self, message_id: str) -> Sequence[str]:
        """Return the ids from the first message to this one.

        Raises:
            MessageNotFound: The conversation has no such message.
        """
        path: list[str] = []
        here: str | None = message_id
        while here is not None:
            if here not in self._places:
                raise MessageNotFound
            path.append(here)
            here = self._places[here].parent_id
        return path[::-1]

    def newest_end(self, message_id: str) -> str:
        """Return the end of the branch that begins with a message, at each fork the newest way."""
        while children := self._children.get(message_id):
            message_id = children[-1]
        return message_id

    def versions(self, message_id: str) -> Sequence[str]:
        """Return the message and those that follow the same one, oldest first."""
        return self._children[self._places[message_id].parent_id]

    def followers(self, message_id: str) -> Sequence[str]:
        """Return the messages that follow one, oldest first."""
        return self._children.get(message_id, ())
