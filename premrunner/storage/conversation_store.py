"""Conversations: listed page by page, searched, changed, deleted with all that belongs to them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, cast

import orjson
from sqlalchemy import CursorResult, and_, delete, exists, func, or_, select, update

from premrunner.errors import ConversationNotFound
from premrunner.records import Conversation, FoundConversation, Json, ListPlace, TitleSource, new_id
from premrunner.storage.conversation_tables import ChatMessageRow, ConversationRow
from premrunner.storage.database import Database

# What is shown around a hit.
EXCERPT_BEFORE = 40
EXCERPT_CHARACTERS = 160


class ConversationStore:
    """Rows of ``conversations``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, title: str, model: str, settings: Mapping[str, Json]) -> Conversation:
        """Keep a new conversation, without messages yet."""
        now = datetime.now(timezone.utc)
        row = ConversationRow(
            id=new_id(),
            title=title,
            folded_title=title.casefold(),
            title_source="words",
            model=model,
            settings=_json(settings),
            created_at=now,
            updated_at=now,
        )
        with self._database.session() as session:
            session.add(row)
        return _record(row)

    def get(self, conversation_id: str) -> Conversation:
        """Return a conversation.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        with self._database.session() as session:
            row = session.get(ConversationRow, conversation_id)
        if row is None:
            raise ConversationNotFound
        return _record(row)

    def page(self, limit: int, behind: ListPlace | None = None) -> Sequence[Conversation]:
        """Return conversations, those last written to first."""
        wanted = select(ConversationRow).order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc())
        if behind is not None:
            is_same_time = ConversationRow.updated_at == behind.updated_at
            is_older = ConversationRow.updated_at < behind.updated_at
            wanted = wanted.where(or_(is_older, and_(is_same_time, ConversationRow.id < behind.conversation_id)))
        with self._database.session() as session:
            return [_record(row) for row in session.scalars(wanted.limit(limit)).all()]

    def search(self, text: str, limit: int) -> Sequence[FoundConversation]:
        """Return conversations whose title or messages hold a text, whatever its case, newest first.

        Reads every message: for a native thread.
        """
        folded = text.casefold()
        has_message = exists().where(
            ChatMessageRow.conversation_id == ConversationRow.id,
            ChatMessageRow.folded_content.contains(folded, autoescape=True),
        )
        wanted = (
            select(ConversationRow)
            .where(or_(ConversationRow.folded_title.contains(folded, autoescape=True), has_message))
            .order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc())
            .limit(limit)
        )
        with self._database.session() as session:
            found = [_record(row) for row in session.scalars(wanted).all()]
            hits = session.execute(_first_hits(folded, [conversation.id for conversation in found])).all()
        excerpts = {hit.conversation_id: _excerpt(hit.content, folded) for hit in hits}
        return [FoundConversation(conversation, excerpts.get(conversation.id, "")) for conversation in found]

    def change(self, conversation_id: str, **values: Any) -> None:
        """Set ``model``, ``settings`` or ``leaf_id``; the list's order stays.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        if "settings" in values:
            values["settings"] = _json(values["settings"])
        self._update(conversation_id, values)

    def write_to(self, conversation_id: str, leaf_id: str, model: str) -> None:
        """Note that a message was added, which brings the conversation to the top of the list."""
        now = datetime.now(timezone.utc)
        self._update(conversation_id, {"leaf_id": leaf_id, "model": model, "updated_at": now})

    def title(self, conversation_id: str, title: str, source: TitleSource) -> None:
        """Give a title; one of its owner's is replaced by its owner alone.

        Raises:
            ConversationNotFound: There is none of that id, or its owner has named it.
        """
        values = {"title": title, "folded_title": title.casefold(), "title_source": source}
        self._update(conversation_id, values, is_open_to_all=source == "owner")

    def remove(self, conversation_id: str) -> None:
        """Delete a conversation with its messages and their pictures.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        with self._database.session() as session:
            removed = session.execute(delete(ConversationRow).where(ConversationRow.id == conversation_id))
        _require_one(removed)

    def _update(self, conversation_id: str, values: Mapping[str, Any], *, is_open_to_all: bool = True) -> None:
        wanted = update(ConversationRow).where(ConversationRow.id == conversation_id)
        if not is_open_to_all:
            wanted = wanted.where(ConversationRow.title_source != "owner")
        with self._database.session() as session:
            changed = session.execute(wanted.values(**values))
        _require_one(changed)


def _require_one(result: Any) -> None:
    if cast(CursorResult[Any], result).rowcount != 1:
        raise ConversationNotFound


def _first_hits(folded: str, conversation_ids: Sequence[str]) -> Any:
    """Return the statement for the first message with a hit of each conversation."""
    first = (
        select(func.min(ChatMessageRow.id))
        .where(
            ChatMessageRow.conversation_id.in_(conversation_ids),
            ChatMessageRow.folded_content.contains(folded, autoescape=True),
        )
        .group_by(ChatMessageRow.conversation_id)
    )
    return select(ChatMessageRow.conversation_id, ChatMessageRow.content).where(ChatMessageRow.id.in_(first))


def _excerpt(content: str, folded: str) -> str:
    """Return the words around the first hit, on one line."""
    # Folding may lengthen a text (ß becomes ss), which moves the place by a letter or two.
    start = max(0, content.casefold().find(folded) - EXCERPT_BEFORE)
    words = " ".join(content[start : start + EXCERPT_CHARACTERS].split())
    return f"…{words}" if start else words


def _json(value: Mapping[str, Json]) -> str:
    return orjson.dumps(dict(value)).decode()


def _record(row: ConversationRow) -> Conversation:
    return Conversation(
        id=row.id,
        title=row.title,
        title_source=cast(TitleSource, row.title_source),
        model=row.model,
        settings=orjson.loads(row.settings),
        leaf_id=row.leaf_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
