"""The original's simple chat: one message in, one answer out, both kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from premrunner.domain.chat import ChatRun
from premrunner.records import MessageRecord
from premrunner.storage.message_store import MessageStore


@dataclass(frozen=True)
class Exchange:
    """A question and its answer."""

    user: MessageRecord
    assistant: MessageRecord


class ChatHistory:
    """Keeps the simple chat's messages."""

    def __init__(self, messages: MessageStore) -> None:
        self._messages = messages

    def latest(self) -> Sequence[MessageRecord]:
        """Return the newest messages, oldest of them first."""
        return self._messages.latest()

    def keep(self, question: str, run: ChatRun) -> Exchange:
        """Keep a question and the answer that a finished call gave."""
        model_name = run.model_id
        return Exchange(
            self._messages.add("user", question, model_name),
            self._messages.add("assistant", run.answer.text, model_name),
        )

    def clear(self) -> None:
        """Delete every message."""
        self._messages.clear()
