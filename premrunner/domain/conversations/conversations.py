"""Conversations: begun, listed, searched, read branch by branch, changed, deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from premrunner.domain.conversations.answering import Answering
from premrunner.domain.conversations.titles import first_words, one_line
from premrunner.domain.conversations.tree import Tree
from premrunner.errors import ConversationConflict, InvalidRequest, MessageNotFound
from premrunner.net.native_threads import NativeThreads
from premrunner.records import ChatMessage, Conversation, FoundConversation, Image, Json, ListPlace, new_id
from premrunner.storage.chat_message_store import ChatMessageStore
from premrunner.storage.conversation_store import ConversationStore
from premrunner.storage.processes import Processes

# A page of the list; more are asked for in pages.
PAGE = 30
SEARCH_MOST = 50
# A long conversation is shown from its end; earlier messages are asked for.
MESSAGES_SHOWN = 30


@dataclass(frozen=True)
class Branch:
    """A part of a conversation as it is read.

    Attributes:
        messages: One after the other.
        versions: By message: its own id and those of its other versions, oldest first.
        leaf_id: The end of the branch; None when there is no message at all.
        has_earlier: Whether messages come before these.
    """

    conversation: Conversation
    messages: Sequence[ChatMessage]
    versions: Mapping[str, Sequence[str]]
    leaf_id: str | None
    has_earlier: bool = False


class Conversations:
    """The conversations of the chat page.

    Args:
        conversations: Rows, read by pages.
        messages: Rows, read by pages.
        processes: Signs the answers that this one writes.
        searching: The first once more, for native threads: a search reads every message.
        threads: Where those run.
        answering: Stops the answers of what is deleted.
    """

    def __init__(
        self,
        conversations: ConversationStore,
        messages: ChatMessageStore,
        processes: Processes,
        searching: ConversationStore,
        threads: NativeThreads,
        answering: Answering,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._processes = processes
        self._searching = searching
        self._threads = threads
        self._answering = answering

    @property
    def page_size(self) -> int:
        """Conversations a page of the list."""
        return PAGE

    def latest(self, behind: ListPlace | None = None) -> Sequence[Conversation]:
        """Return a page of the list, those last written to first."""
        return self._conversations.page(PAGE, behind)

    def search(self, text: str) -> Sequence[FoundConversation]:
        """Return conversations whose title or text holds these words."""
        return self._threads.run(self._searching.search, " ".join(text.split()), SEARCH_MOST)

    def get(self, conversation_id: str) -> Conversation:
        """Return a conversation without its messages.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        return self._conversations.get(conversation_id)

    def branch(
        self, conversation_id: str, at: str | None = None, before: str | None = None, most: int = MESSAGES_SHOWN
    ) -> Branch:
        """Return a branch of a conversation, from its end.

        Args:
            conversation_id: Which one.
            at: A message that the branch goes through; at its forks behind that, the newest way is taken. Without it,
                the branch that was written to last.
            before: Show what comes before this message instead of the end.
            most: Messages at most.

        Raises:
            ConversationNotFound: There is none of that id.
            MessageNotFound: It has no such message.
        """
        conversation = self._conversations.get(conversation_id)
        tree = Tree(self._messages.places(conversation_id))
        start = at or conversation.leaf_id
        if start is None:
            return Branch(conversation, (), {}, None)
        leaf_id = tree.newest_end(start)
        path = tree.path_to(leaf_id)
        if before is not None:
            if before not in path:
                raise MessageNotFound
            path = path[: path.index(before)]
        shown = path[-most:]
        versions = {message_id: tree.versions(message_id) for message_id in shown}
        return Branch(conversation, self._messages.some(shown), versions, leaf_id, len(path) > len(shown))

    def path(self, conversation_id: str, message_id: str) -> Sequence[ChatMessage]:
        """Return every message from the first to this one.

        Raises:
            MessageNotFound: The conversation has no such message.
        """
        return self._messages.some(Tree(self._messages.places(conversation_id)).path_to(message_id))

    def versions(self, message: ChatMessage) -> Sequence[str]:
        """Return the ids of a message and of those that follow the same one, oldest first."""
        return Tree(self._messages.places(message.conversation_id)).versions(message.id)

    def whole(self, conversation_id: str) -> tuple[Conversation, Sequence[ChatMessage], Mapping[str, Sequence[Image]]]:
        """Return everything of a conversation: each message of every branch, in the order of time, and the pictures."""
        conversation = self._conversations.get(conversation_id)
        messages = self._messages.some([place.id for place in self._messages.places(conversation_id)])
        return conversation, messages, self.images(messages)

    def answers(self, question: ChatMessage) -> Sequence[ChatMessage]:
        """Return the answers to a question, oldest first."""
        tree = Tree(self._messages.places(question.conversation_id))
        return self._messages.some(tree.followers(question.id))

    def message(self, conversation_id: str, message_id: str) -> ChatMessage:
        """Return one message of a conversation.

        Raises:
            MessageNotFound: It has no such message.
        """
        message = self._messages.get(message_id)
        if message.conversation_id != conversation_id:
            raise MessageNotFound
        return message

    def images(self, messages: Sequence[ChatMessage]) -> Mapping[str, Sequence[Image]]:
        """Return the pictures of messages, by message."""
        return self._messages.images([message.id for message in messages if message.image_ids])

    def image(self, image_id: str) -> Image:
        """Return one picture.

        Raises:
            MessageNotFound: There is none of that id.
        """
        return self._messages.image(image_id)

    def begin(self, first_text: str, model: str, settings: Mapping[str, Json]) -> Conversation:
        """Begin a conversation; its title is the first words until the model or its owner gives another."""
        return self._conversations.add(first_words(first_text), model, settings)

    def add_question(
        self, conversation_id: str, parent_id: str | None, text: str, images: Sequence[Image], model: str
    ) -> ChatMessage:
        """Keep what the user says, behind an answer or as the beginning.

        Raises:
            ConversationNotFound: There is none of that id.
            MessageNotFound: It has no such message to follow.
            ConversationConflict: The answer before it is still being written.
        """
        if parent_id is not None and self.message(conversation_id, parent_id).is_running:
            raise ConversationConflict("The answer is still being written. Wait for its end, or stop it.")
        message = ChatMessage(
            id=new_id(),
            conversation_id=conversation_id,
            parent_id=parent_id,
            role="user",
            created_at=datetime.now(timezone.utc),
            content=text,
            model=model,
            image_ids=tuple(image.id for image in images),
        )
        self._conversations.write_to(conversation_id, message.id, model)
        self._messages.add(message, images)
        return message

    def add_answer(self, question: ChatMessage, model: str, trace_id: str) -> ChatMessage:
        """Keep a place for an answer that is about to be written by this process."""
        message = ChatMessage(
            id=new_id(),
            conversation_id=question.conversation_id,
            parent_id=question.id,
            role="assistant",
            created_at=datetime.now(timezone.utc),
            model=model,
            status="running",
            trace_id=trace_id,
        )
        self._messages.add(message, writer=self._processes.own_name)
        self._conversations.write_to(question.conversation_id, message.id, model)
        return message

    def resume(self, message: ChatMessage, trace_id: str) -> ChatMessage:
        """Return an answer that has ended as one that this process goes on with.

        Raises:
            ConversationConflict: It is still being written.
        """
        if message.is_running:
            raise ConversationConflict("The answer is still being written.")
        self._messages.resume(message.id, trace_id, message.model, self._processes.own_name)
        self._conversations.write_to(message.conversation_id, message.id, message.model)
        return replace(message, status="running", error="", trace_id=trace_id)

    def add_finished(self, message: ChatMessage, images: Sequence[Image] = ()) -> None:
        """Keep a message as it stands, of a call that is over."""
        self._messages.add(message, images)
        self._conversations.write_to(message.conversation_id, message.id, message.model)

    def rename(self, conversation_id: str, title: str) -> Conversation:
        """Give a conversation the title that its owner wants.

        Raises:
            ConversationNotFound: There is none of that id.
            InvalidRequest: The title is empty.
        """
        title = one_line(title)
        if not title:
            raise InvalidRequest("A title needs a letter at least.", param="title")
        self._conversations.title(conversation_id, title, "owner")
        return self._conversations.get(conversation_id)

    def set(self, conversation_id: str, settings: Mapping[str, Json]) -> None:
        """Replace the system prompt and sampling parameters; they count from the next answer on.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        self._conversations.change(conversation_id, settings=settings)

    def remove(self, conversation_id: str) -> None:
        """Delete a conversation; its calls stay among the traces.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        for message_id in self._messages.running(conversation_id):
            self._answering.stop(message_id)
        self._conversations.remove(conversation_id)
