"""An answer that this process is writing: the call feeds it, any number of pages watch it grow."""

import threading
import time
from dataclasses import replace

from premrunner.domain.chat import ChatRun
from premrunner.records import ChatChunk, ChatMessage, MessageStatus
from premrunner.storage.chat_message_store import Draft


class LiveAnswer:
    """One answer under way.

    Args:
        message: It, as it is when the call begins; one that is continued has text already.
        run: The call that writes it.
    """

    def __init__(self, message: ChatMessage, run: ChatRun) -> None:
        self.run = run
        self.change_count = 0
        self._message = message
        self._content = message.content
        self._thinking = message.thinking
        self._thinking_since: float | None = None
        self._thinking_ms = message.thinking_ms
        self._kept_count = 0
        self._is_titled = threading.Event()
        self._changed = threading.Condition()

    @property
    def message(self) -> ChatMessage:
        """The answer at this moment."""
        return replace(self._message, content=self._content, thinking=self._thinking, thinking_ms=self._thinking_ms)

    def take(self, chunk: ChatChunk) -> None:
        """Take in the next chunk of the call."""
        self._content += chunk.content
        self._thinking += chunk.thinking
        if chunk.thinking and self._thinking_since is None:
            self._thinking_since = time.perf_counter()
        if chunk.content and self._thinking_since is not None and self._thinking_ms is None:
            self._thinking_ms = (time.perf_counter() - self._thinking_since) * 1000
        self._tell()

    def draft(self) -> Draft | None:
        """Return what has not been kept yet; None when nothing is new since the last call."""
        if self.change_count == self._kept_count:
            return None
        self._kept_count = self.change_count
        return Draft(self._message.id, self._content, self._thinking)

    def ended(self, status: MessageStatus, error: str, context_length: int) -> ChatMessage:
        """Return the answer as it is to be kept, with the numbers of its call."""
        answer, before = self.run.answer, self._message
        usage = answer.usage
        return replace(
            self.message,
            status=status,
            error=error,
            finish_reason=answer.finish_reason,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=before.completion_tokens + usage.completion_tokens,
            tokens_per_second=usage.tokens_per_second,
            ttft_ms=self.run.ttft_ms,
            context_length=context_length,
        )

    def end(self, message: ChatMessage) -> None:
        """Show the answer as it was kept; its pages stop watching."""
        self._content, self._thinking, self._message = message.content, message.thinking, message
        self._tell()

    def wait(self, seen_count: int, timeout_seconds: float) -> None:
        """Return when there is more than the changes seen, or when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.change_count != seen_count, timeout_seconds)

    def end_title(self) -> None:
        """Tell that the conversation has got its title, or keeps the one it had."""
        self._is_titled.set()

    def wait_for_title(self, timeout_seconds: float) -> None:
        """Return when the conversation has got the title that comes after this answer, or when the time is over."""
        self._is_titled.wait(timeout_seconds)

    def _tell(self) -> None:
        with self._changed:
            self.change_count += 1
            self._changed.notify_all()
