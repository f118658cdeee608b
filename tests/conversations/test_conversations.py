"""Conversations are listed, searched, branched, changed and deleted."""

from datetime import datetime, timezone

import orjson
import pytest

from premrunner.domain.chat import ChatCall
from premrunner.domain.conversations.from_trace import begin_from_trace
from premrunner.errors import ConversationNotFound, InvalidRequest, MessageNotFound
from premrunner.extensions import db
from premrunner.records import Caller, ChatMessage, ChatRequest, Image, ListPlace, TraceFinished, Usage, new_id
from premrunner.storage.conversation_tables import ChatImageRow, ChatMessageRow

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture
def conversations(services):
    return services.conversations


def answered(conversations, question, text="Paris."):
    answer = ChatMessage(
        new_id(), question.conversation_id, question.id, "assistant", datetime.now(timezone.utc), text, model="m"
    )
    conversations.add_finished(answer)
    return answer


def begun(conversations, text, answer="Paris."):
    conversation = conversations.begin(text, "m", {})
    question = conversations.add_question(conversation.id, None, text, (), "m")
    return conversation, question, answered(conversations, question, answer)


def texts(branch):
    return [message.content for message in branch.messages]


def test_the_list_is_newest_first_and_its_pages_meet_without_a_gap(conversations):
    begun_ids = [begun(conversations, f"Question {index}")[0].id for index in range(65)]
    seen, behind = [], None
    while page := conversations.latest(behind):
        seen += [conversation.id for conversation in page]
        behind = ListPlace(page[-1].updated_at, page[-1].id)
    assert seen == begun_ids[::-1]


def test_writing_to_a_conversation_brings_it_to_the_top(conversations):
    old, _, answer = begun(conversations, "Old")
    begun(conversations, "New")
    conversations.add_question(old.id, answer.id, "More", (), "m")
    assert conversations.latest()[0].id == old.id


@pytest.mark.parametrize("words", ["ÄPFEL", "äpfel  essen", "50 % r"])
def test_a_search_looks_at_every_message_whatever_the_case(conversations, words):
    found, _, _ = begun(conversations, "What is good?", "Lieber Äpfel essen, mit 50 % Rabatt.")
    begun(conversations, "50 of the rest", "50 and more")
    [hit] = conversations.search(words)
    assert hit.conversation.id == found.id
    assert "Äpfel essen" in hit.excerpt


def test_a_search_finds_titles_too_and_shows_the_words_around_a_late_hit(conversations):
    conversation, _, _ = begun(conversations, "Trees", "x " * 500 + "the needle in the hay")
    conversations.rename(conversation.id, "A walk in the woods")
    assert [hit.excerpt for hit in conversations.search("WOODS")] == [""]
    [hit] = conversations.search("needle")
    assert hit.excerpt.startswith("…")
    assert "the needle in the hay" in hit.excerpt


def test_an_edited_question_is_a_sibling_and_both_branches_stay(conversations):
    conversation, first, _ = begun(conversations, "Capital of France?")
    edited = conversations.add_question(conversation.id, first.parent_id, "Capital of Italy?", (), "m")
    rome = answered(conversations, edited, "Rome.")
    assert texts(conversations.branch(conversation.id)) == ["Capital of Italy?", "Rome."]
    assert conversations.branch(conversation.id).versions[edited.id] == [first.id, edited.id]
    assert texts(conversations.branch(conversation.id, first.id)) == ["Capital of France?", "Paris."]
    again = answered(conversations, edited, "Roma.")
    assert conversations.branch(conversation.id).versions[again.id] == [rome.id, again.id]
    assert texts(conversations.branch(conversation.id, rome.id)) == ["Capital of Italy?", "Rome."]


def test_a_long_conversation_is_shown_from_its_end_and_read_back_to_its_beginning(conversations):
    conversation, _, answer = begun(conversations, "0")
    for index in range(1, 40):
        answer = answered(conversations, conversations.add_question(conversation.id, answer.id, str(index), (), "m"))
    end = conversations.branch(conversation.id)
    assert (len(end.messages), end.has_earlier) == (30, True)
    middle = conversations.branch(conversation.id, end.leaf_id, before=end.messages[0].id)
    start = conversations.branch(conversation.id, end.leaf_id, before=middle.messages[0].id)
    questions = [*texts(start)[::2], *texts(middle)[::2], *texts(end)[::2]]
    assert questions == [str(index) for index in range(40)]
    assert not start.has_earlier


def test_a_message_of_another_conversation_is_not_found(conversations):
    _, _, answer = begun(conversations, "One")
    other, _, _ = begun(conversations, "Two")
    for call in (
        lambda: conversations.branch(other.id, answer.id),
        lambda: conversations.message(other.id, answer.id),
        lambda: conversations.path(other.id, answer.id),
        lambda: conversations.add_question(other.id, answer.id, "Three", (), "m"),
    ):
        with pytest.raises(MessageNotFound):
            call()


def test_what_is_deleted_leaves_nothing_behind(app, conversations):
    conversation = conversations.begin("Look", "m", {})
    conversations.add_question(conversation.id, None, "Look", [Image(new_id(), "image/png", PNG)], "m")
    conversations.remove(conversation.id)
    with app.app_context():
        assert [db.session.query(table).count() for table in (ChatMessageRow, ChatImageRow)] == [0, 0]
    for call in (conversations.get, conversations.remove, conversations.branch):
        with pytest.raises(ConversationNotFound):
            call(conversation.id)


def test_a_title_is_one_line_and_never_empty(conversations):
    conversation = conversations.begin(
        "  Write a\n\nlong story about the sea and the ships that sail upon it  ", "m", {}
    )
    assert conversation.title == "Write a long story about the sea and the ships that sail…"
    assert conversations.rename(conversation.id, " a\n b ").title == "a b"
    with pytest.raises(InvalidRequest):
        conversations.rename(conversation.id, " \n ")
    with pytest.raises(ConversationNotFound):
        conversations.rename(new_id(), "x")


def recorded(services, messages, parameters, **finished):
    trace_id = new_id()
    call = ChatCall(ChatRequest("m", messages), messages, {"model": "m", **parameters})
    services.tracing.begin(call, Caller(trace_id, "/v1/chat/completions"))
    ending = {"status": "ok", "output": "A cat.", "usage": Usage(12, 3, 0.0, 40.0, 60.0), "finish_reason": "stop"}
    services.tracing.finish(TraceFinished(trace_id, **(ending | finished)))
    return services.tracing.get(trace_id)


def test_a_trace_becomes_a_conversation_with_its_messages_settings_and_answer(services, conversations):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgowMDAw"}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
    ]
    trace = recorded(services, messages, {"temperature": 0.1, "options": {"num_ctx": 512}, "stream": True})
    conversation = begin_from_trace(conversations, trace)
    assert conversation.settings == {"temperature": 0.1, "num_ctx": 512, "system": "Be brief."}
    question, answer = conversations.branch(conversation.id).messages
    assert (question.content, answer.content) == ("What is this?", "A cat.")
    assert conversations.image(question.image_ids[0]).media_type == "image/png"
    assert (answer.trace_id, answer.completion_tokens, answer.status) == (trace.id, 3, "done")


@pytest.mark.parametrize("sent", [[], [{"role": "tool", "content": "x"}], {"input": 3}, [3, None], [["hi"]]])
def test_a_call_without_messages_is_refused(services, conversations, sent):
    with pytest.raises(InvalidRequest, match="no messages"):
        begin_from_trace(conversations, recorded(services, sent, {}))


def test_a_prompt_is_a_conversation_too(services, conversations):
    conversation = begin_from_trace(conversations, recorded(services, "Once upon", {}, output=""))
    assert texts(conversations.branch(conversation.id)) == ["Once upon"]


def test_the_words_of_a_search_are_no_pattern(conversations):
    begun(conversations, "Plain", "Nothing of the kind")
    for words in ("%", "_", "\\", "P%n"):
        assert conversations.search(words) == []


def test_settings_are_replaced_as_a_whole(conversations):
    conversation = conversations.begin("x", "m", {"temperature": 1})
    conversations.set(conversation.id, {"system": "Be brief."})
    assert orjson.dumps(conversations.get(conversation.id).settings) == b'{"system":"Be brief."}'
