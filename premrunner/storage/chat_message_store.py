"""Messages of conversations, and the answers among them that are being written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, select, update

from premrunner.errors import MessageNotFound
from premrunner.records import ChatMessage, Image
from premrunner.storage.conversation_tables import ChatImageRow, ChatMessageRow
from premrunner.storage.database import Database

COLUMNS = {
    field.name: getattr(ChatMessageRow, field.name) for field in fields(ChatMessage) if field.name != "image_ids"
}
# What the end of an answer leaves as it was.
LASTING = {"id", "conversation_id", "parent_id", "role", "created_at"}
INTERRUPTED = "The server ended before the answer was complete."


@dataclass(frozen=True, slots=True)
class MessagePlace:
    """Where a message stands in its tree."""

    id: str
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answer says so far."""

    message_id: str
    content: str
    thinking: str


class ChatMessageStore:
    """Rows of ``chat_messages`` and ``chat_images``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, message: ChatMessage, images: Sequence[Image] = (), writer: str = "") -> None:
        """Keep a message with its pictures.

        Args:
            message: It; its ``image_ids`` are ignored.
            images: Its pictures, in order of their ids.
            writer: The process that writes it, while it is running.
        """
        values = _columns(message)
        values["folded_content"] = message.content.casefold()
        with self._database.session() as session:
            session.add(ChatMessageRow(**values, writer=writer, is_stop_wanted=False))
            session.flush()  # A picture's row names it.
            session.add_all(
                ChatImageRow(id=image.id, message_id=message.id, media_type=image.media_type, data=image.data)
                for image in images
            )

    def places(self, conversation_id: str) -> Sequence[MessagePlace]:
        """Return the tree of a conversation, without texts, in the order of time."""
        wanted = select(ChatMessageRow.id, ChatMessageRow.parent_id)
        with self._database.session() as session:
            rows = session.execute(
                wanted.where(ChatMessageRow.conversation_id == conversation_id).order_by(ChatMessageRow.id)
            ).all()
        return [MessagePlace(*row) for row in rows]

    def get(self, message_id: str) -> ChatMessage:
        """Return one message.

        Raises:
            MessageNotFound: There is none of that id.
        """
        found = self.some([message_id])
        if not found:
            raise MessageNotFound
        return found[0]

    def some(self, message_ids: Sequence[str]) -> Sequence[ChatMessage]:
        """Return messages in the order of the ids; those that are gone are left out."""
        with self._database.session() as session:
            rows = session.execute(select(*COLUMNS.values()).where(ChatMessageRow.id.in_(message_ids))).all()
            images = session.execute(
                select(ChatImageRow.id, ChatImageRow.message_id)
                .where(ChatImageRow.message_id.in_(message_ids))
                .order_by(ChatImageRow.id)
            ).all()
        image_ids: dict[str, tuple[str, ...]] = {}
        for image in images:
            image_ids[image.message_id] = (*image_ids.get(image.message_id, ()), image.id)
        by_id = {row.id: ChatMessage(**row._mapping, image_ids=image_ids.get(row.id, ())) for row in rows}
        return [by_id[message_id] for message_id in message_ids if message_id in by_id]

    def images(self, message_ids: Sequence[str]) -> Mapping[str, Sequence[Image]]:
        """Return the pictures of messages, by message, in order."""
        wanted = select(ChatImageRow).where(ChatImageRow.message_id.in_(message_ids)).order_by(ChatImageRow.id)
        found: dict[str, list[Image]] = {}
        with self._database.session() as session:
            for row in session.scalars(wanted):
                found.setdefault(row.message_id, []).append(Image(row.id, row.media_type, row.data))
        return found

    def image(self, image_id: str) -> Image:
        """Return one picture.

        Raises:
            MessageNotFound: There is none of that id.
        """
        with self._database.session() as session:
            row = session.get(ChatImageRow, image_id)
        if row is None:
            raise MessageNotFound
        return Image(row.id, row.media_type, row.data)

    def resume(self, message_id: str, trace_id: str, model: str, writer: str) -> None:
        """Note that a process goes on with an answer that had ended."""
        self._set(
            ChatMessageRow.id == message_id,
            {
                **{"status": "running", "error": "", "is_stop_wanted": False},
                **{"trace_id": trace_id, "model": model, "writer": writer},
            },
        )

    def keep_drafts(self, drafts: Sequence[Draft], running_ids: Sequence[str]) -> Sequence[str]:
        """Write what answers say so far and return the ids of those that somebody wants stopped."""
        rows = [{"row_id": draft.message_id, "content": draft.content, "thinking": draft.thinking} for draft in drafts]
        table = cast(Table, ChatMessageRow.__table__)
        stops = select(ChatMessageRow.id).where(ChatMessageRow.id.in_(running_ids), ChatMessageRow.is_stop_wanted)
        with self._database.session() as session:
            if rows:
                # One that has ended meanwhile is whole already.
                is_mine = and_(table.c.id == bindparam("row_id"), table.c.status == "running")
                session.connection().execute(update(table).where(is_mine), rows)
            return session.scalars(stops).all()

    def finish(self, message: ChatMessage) -> None:
        """Write an answer that has ended, whichever way."""
        values = {name: value for name, value in _columns(message).items() if name not in LASTING}
        self._set(
            ChatMessageRow.id == message.id,
            {**values, "folded_content": message.content.casefold(), "writer": "", "is_stop_wanted": False},
        )

    def want_stop(self, message_id: str) -> None:
        """Ask the process that writes an answer, whichever it is, to stop."""
        self._set((ChatMessageRow.id == message_id) & (ChatMessageRow.status == "running"), {"is_stop_wanted": True})

    def running(self, conversation_id: str) -> Sequence[str]:
        """Return the ids of the answers of a conversation that are being written."""
        is_running = ChatMessageRow.status == "running"
        with self._database.session() as session:
            return session.scalars(
                select(ChatMessageRow.id).where(ChatMessageRow.conversation_id == conversation_id, is_running)
            ).all()

    def running_writers(self) -> Sequence[str]:
        """Return the processes that write answers, as they signed them."""
        with self._database.session() as session:
            wanted = select(ChatMessageRow.writer).where(ChatMessageRow.status == "running").distinct()
            return session.scalars(wanted).all()

    def settle_interrupted(self, writers: Sequence[str]) -> int:
        """Mark the answers that dead processes were writing and return how many there were."""
        with self._database.session() as session:
            ended = session.execute(
                update(ChatMessageRow)
                .where(ChatMessageRow.status == "running", ChatMessageRow.writer.in_(writers))
                .values(status="interrupted", error=INTERRUPTED, writer="")
                .returning(ChatMessageRow.id)
            ).all()
        return len(ended)

    def _set(self, condition: Any, values: Mapping[str, Any]) -> None:
        with self._database.session() as session:
            session.execute(update(ChatMessageRow).where(condition).values(**values))


def _columns(message: ChatMessage) -> dict[str, Any]:
    return {name: getattr(message, name) for name in COLUMNS}
