"""Answers are written here, by this process, whether or not a page looks on.

What an answer says so far is brought to the database twice a second: pages that another process serves follow it
there, and leave their wish to stop it there. A process that dies leaves its answers signed, and the next one settles
them.
"""

import logging
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import replace

from premrunner.domain.chat import ChatCall, ChatRun, ChatService
from premrunner.domain.conversations.live_answer import LiveAnswer
from premrunner.domain.conversations.titles import title_call, title_in
from premrunner.errors import Cancelled, PremRunnerError, ServerEnding, StorageFailed
from premrunner.net.native_threads import NativeThreads
from premrunner.records import Caller, ChatMessage, MessageStatus, new_id
from premrunner.storage.chat_message_store import INTERRUPTED, ChatMessageStore
from premrunner.storage.conversation_store import ConversationStore

logger = logging.getLogger(__name__)

KEEP_SECONDS = 0.4
# A page that nothing new is told for so long is told that, lest a proxy takes it for dead.
SILENCE_SECONDS = 10.0
TITLE_SECONDS = 30.0
END_SECONDS = 2.0
MISTAKE = "PremRunner made a mistake; see the log."


class Answering:
    """Writes answers, shows them as they grow, stops them.

    Args:
        chat: Answers calls.
        messages: Rows, read by pages.
        drafts: The same, for native threads: a write of SQLite's can take long, and all streams would wait with it.
        conversations: Gets the titles; for native threads as well.
        threads: Where those run.
    """

    def __init__(
        self,
        chat: ChatService,
        messages: ChatMessageStore,
        drafts: ChatMessageStore,
        conversations: ConversationStore,
        threads: NativeThreads,
    ) -> None:
        self._chat = chat
        self._messages = messages
        self._drafts = drafts
        self._conversations = conversations
        self._threads = threads
        self._live: dict[str, LiveAnswer] = {}
        self._titling: dict[str, ChatRun] = {}
        self._is_keeping = False
        self._lock = threading.Lock()

    def start(self, message: ChatMessage, call: ChatCall, caller: Caller, *, wants_title: bool = False) -> None:
        """Begin to write an answer and return at once.

        Args:
            message: A running answer that is in the database.
            call: What the engine is asked.
            caller: Who asks; the request's id is the message's ``trace_id``.
            wants_title: Whether the model shall name the conversation afterwards.
        """
        if titling := self._titling.pop(message.conversation_id, None):
            titling.cancel()  # The reader waits for this answer, and not for a title.
        live = LiveAnswer(message, self._chat.open(call, caller))
        self._live[message.id] = live
        threading.Thread(target=self._write, args=(live, call, wants_title), name="answer", daemon=True).start()
        self._keep_drafts()

    def stop(self, message_id: str) -> None:
        """Stop an answer, whichever process writes it; harmless when it has ended."""
        if live := self._live.get(message_id):
            live.run.cancel()
        else:
            self._messages.want_stop(message_id)

    def follow(self, message_id: str) -> Generator[ChatMessage, None, None]:
        """Yield an answer again and again as it grows, for the last time when it has ended.

        Raises:
            MessageNotFound: There is none of that id, or not any longer.
        """
        seen_count = -1
        while True:
            if live := self._live.get(message_id):
                live.wait(seen_count, SILENCE_SECONDS)
                seen_count, message = live.change_count, live.message
            else:
                message = self._messages.get(message_id)
            yield message
            if not message.is_running:
                return
            if live is None:
                time.sleep(KEEP_SECONDS)

    def wait_for_title(self, message_id: str) -> None:
        """Wait until the conversation has got the title that comes after an answer; not at all where none comes."""
        if live := self._live.get(message_id):
            live.wait_for_title(TITLE_SECONDS)

    def end(self) -> None:
        """Interrupt every answer of this process, because it ends, and wait until that is recorded."""
        for live in tuple(self._live.values()):
            live.run.interrupt()
        deadline = time.monotonic() + END_SECONDS
        while any(live.message.is_running for live in tuple(self._live.values())) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _write(self, live: LiveAnswer, call: ChatCall, wants_title: bool) -> None:
        status, error = self._run(live)
        message = live.ended(status, error, self._context_length(live))
        try:
            self._threads.run(self._drafts.finish, message)
        except StorageFailed as failure:
            logger.error("Answer %s could not be kept: %s", message.id, failure.message)
        live.end(message)
        try:
            if wants_title and status == "done":
                self._title(message, call, live.run.caller)
        finally:
            live.end_title()
            del self._live[message.id]

    def _run(self, live: LiveAnswer) -> tuple[MessageStatus, str]:
        try:
            with closing(live.run.chunks()) as chunks:
                for chunk in chunks:
                    live.take(chunk)
        except Cancelled:
            return "stopped", ""
        except ServerEnding:
            return "interrupted", INTERRUPTED
        except PremRunnerError as failure:
            return "failed", failure.message
        except Exception:
            logger.exception("An answer failed.", extra={"request_id": live.run.id})
            return "failed", MISTAKE
        return "done", ""

    def _context_length(self, live: LiveAnswer) -> int:
        """Return how much the model that answered can read as it is loaded now; 0 where nobody knows."""
        try:
            model = self._chat.catalog.resolve(live.run.model_id)
            loaded = [loaded for loaded in self._chat.catalog.loaded() if model.answers_to(loaded.name)]
        except PremRunnerError:
            return 0
        return loaded[0].context_length if loaded else 0

    def _title(self, message: ChatMessage, call: ChatCall, caller: Caller) -> None:
        """Have the model name the conversation; its first words stay where it does not, or its owner has."""
        run = self._chat.open(title_call(call, message.content), replace(caller, request_id=new_id()))
        self._titling[message.conversation_id] = run
        try:
            title = title_in(self._chat.complete(run).text)
            if title:
                self._threads.run(self._conversations.title, message.conversation_id, title, "model")
        except PremRunnerError as failure:
            logger.info("No title: %s", failure.message, extra={"request_id": run.id})
        finally:
            self._titling.pop(message.conversation_id, None)

    def _keep_drafts(self) -> None:
        with self._lock:
            if not self._is_keeping:
                self._is_keeping = True
                threading.Thread(target=self._keep, name="drafts", daemon=True).start()

    def _keep(self) -> None:
        while True:
            time.sleep(KEEP_SECONDS)
            with self._lock:
                if not self._live:  # Ends when idle; the next answer starts another.
                    self._is_keeping = False
                    return
            self._keep_once([live for live in tuple(self._live.values()) if live.message.is_running])

    def _keep_once(self, running: Iterable[LiveAnswer]) -> None:
        by_id = {live.message.id: live for live in running}
        drafts = [draft for live in by_id.values() if (draft := live.draft())]
        try:
            wanted = self._threads.run(self._drafts.keep_drafts, drafts, list(by_id)) if by_id else ()
        except StorageFailed as failure:
            logger.warning("Answers wait for the database: %s", failure.message)
            return
        for message_id in wanted:
            by_id[message_id].run.cancel()
