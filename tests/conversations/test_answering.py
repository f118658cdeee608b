"""Answers are written whether or not a page looks on, and by whichever process."""

import itertools
import time

import pytest
from conftest import BUSY_SECONDS
from sqlalchemy import text

from premrunner.app import settle_dead_processes
from premrunner.errors import ConversationConflict, ConversationNotFound, MessageNotFound
from premrunner.extensions import db

from .conftest import until


def read(services, answer):
    return services.conversations.message(answer.conversation_id, answer.id)


def follow_to_end(services, answer):
    return list(services.answering.follow(answer.id))[-1]


def test_an_answer_is_whole_though_nobody_followed_it(services, pace, ask):
    answer = ask()
    pace.say("The capital of France ")
    pace.say("is Paris.")
    pace.finish()
    until(lambda: read(services, answer).status == "done")
    kept = read(services, answer)
    assert kept.content == "The capital of France is Paris."
    assert (kept.prompt_tokens, kept.completion_tokens, kept.tokens_per_second) == (30, 4, 100.0)
    assert kept.context_length == 2048
    assert kept.ttft_ms > 0
    assert services.tracing.get(kept.trace_id).output == kept.content


def test_whoever_comes_in_mid_answer_sees_what_was_said_and_then_the_rest(services, pace, ask):
    answer = ask()
    pace.say("The capital ")
    until(lambda: next(services.answering.follow(answer.id)).content)
    late = services.answering.follow(answer.id)
    assert next(late).content == "The capital "
    pace.say("is Paris.")
    assert next(late).content == "The capital is Paris."
    pace.finish()
    assert [message.status for message in late][-1] == "done"


def test_another_process_follows_the_rows_and_stops_the_answer_within_a_second(services, other_worker, pace, ask):
    answer = ask()
    pace.say("Once upon a time ")
    seen = (message.content for message in other_worker.answering.follow(answer.id))
    assert "Once upon a time " in itertools.islice(seen, 10)
    asked_at = time.monotonic()
    other_worker.answering.stop(answer.id)
    assert follow_to_end(other_worker, answer).status == "stopped"
    assert time.monotonic() - asked_at < 1 + BUSY_SECONDS
    assert pace.left.wait(2)
    until(lambda: services.tracing.get(answer.trace_id).status == "cancelled")


def test_a_stopped_answer_keeps_what_it_said(services, pace, ask):
    answer = ask()
    pace.say("Once upon")
    until(lambda: next(services.answering.follow(answer.id)).content)
    services.answering.stop(answer.id)
    stopped = follow_to_end(services, answer)
    assert (stopped.status, stopped.content, stopped.error) == ("stopped", "Once upon", "")


def test_an_engine_that_goes_away_leaves_a_reason(services, pace, ask):
    answer = ask()
    pace.say("Once")
    pace.lines.put(None)
    failed = follow_to_end(services, answer)
    assert (failed.status, failed.content) == ("failed", "Once")
    assert "engine" in failed.error


def test_what_a_dead_process_was_writing_ends_as_interrupted(app, services, pace, ask):
    answer = ask()
    pace.say("Once upon")
    until(lambda: read(services, answer).content == "Once upon")
    settle_dead_processes(app)
    assert read(services, answer).is_running
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE chat_messages SET writer = 'a-host:1:dead'"))
    settle_dead_processes(app)
    left = read(services, answer)
    assert (left.status, left.content) == ("interrupted", "Once upon")
    assert "server ended" in left.error


def test_a_process_that_ends_in_order_records_its_answers_as_interrupted(services, pace, ask):
    answer = ask()
    pace.say("Once upon")
    until(lambda: next(services.answering.follow(answer.id)).content)
    services.answering.end()
    assert read(services, answer).status == "interrupted"
    assert read(services, answer).content == "Once upon"


def test_thinking_is_kept_apart_with_how_long_it_took(services, pace, ask):
    answer = ask()
    pace.say(thinking="Hm, France.")
    until(lambda: next(services.answering.follow(answer.id)).thinking)
    time.sleep(0.05)
    pace.say("Paris.")
    pace.finish()
    kept = follow_to_end(services, answer)
    assert (kept.thinking, kept.content) == ("Hm, France.", "Paris.")
    assert 40 < kept.thinking_ms < 2000


def test_the_model_names_the_conversation_after_its_first_answer(services, pace, ask):
    answer = ask(wants_title=True)
    pace.say("Paris.")
    pace.finish()
    assert follow_to_end(services, answer).status == "done"
    services.answering.wait_for_title(answer.id)
    assert services.conversations.get(answer.conversation_id).title == "Capital of France"


def test_a_title_of_the_owners_is_not_overruled(services, pace, ask):
    answer = ask(wants_title=True)
    services.conversations.rename(answer.conversation_id, "  My\nown ")
    pace.say("Paris.")
    pace.finish()
    follow_to_end(services, answer)
    until(lambda: answer.id not in services.answering._live)
    assert services.conversations.get(answer.conversation_id).title == "My own"


def test_a_new_question_does_not_wait_for_the_title_of_the_last(services, pace, ask):
    pace.title = None
    answer = ask(wants_title=True)
    pace.say("Paris.")
    pace.finish()
    follow_to_end(services, answer)
    until(lambda: services.answering._titling)
    question = services.conversations.add_question(answer.conversation_id, answer.id, "And Italy?", (), "m")
    second = services.conversations.add_answer(question, "m", answer.trace_id[::-1])
    run = services.answering._titling[answer.conversation_id]
    services.answering.start(second, run._call, run.caller)
    until(lambda: answer.id not in services.answering._live)
    title = services.conversations.get(answer.conversation_id)
    assert (title.title, title.title_source) == ("What is the capital of France?", "words")


def test_nothing_is_said_behind_an_answer_that_is_being_written(services, pace, ask):
    answer = ask()
    with pytest.raises(ConversationConflict, match="still being written"):
        services.conversations.add_question(answer.conversation_id, answer.id, "And?", (), "m")


def test_a_deleted_conversation_stops_its_answers(services, pace, ask):
    answer = ask()
    pace.say("Once")
    until(lambda: next(services.answering.follow(answer.id)).content)
    services.conversations.remove(answer.conversation_id)
    assert pace.left.wait(2)
    with pytest.raises(ConversationNotFound):
        services.conversations.get(answer.conversation_id)
    until(lambda: answer.id not in services.answering._live)
    with pytest.raises(MessageNotFound):
        next(services.answering.follow(answer.id))
