"""An answer as its page sees it grow."""

from dataclasses import replace
from datetime import datetime, timezone

from web_pages.reading import Page

from premrunner.records import ChatMessage
from premrunner.web.pages.chat_stream import drawn

EMPTY = ChatMessage("1", "c", "q", "assistant", datetime.now(timezone.utc), status="running")


def growing(*contents: str, thinking: str = ""):
    for content in contents:
        yield replace(EMPTY, content=content, thinking=thinking)
    yield replace(EMPTY, content=contents[-1], thinking=thinking, status="done")


def test_each_event_has_what_is_new_and_what_is_still_open():
    events = list(drawn(growing("**Par", "**Paris**", "**Paris**\n\nAnd\n"), pause=lambda _: None))
    assert [event["text"] for event in events] == ["**Par", "is**", "\n\nAnd\n"]
    assert events[1]["open"] == "<p><strong>Paris</strong></p>\n"
    assert events[2]["settled"] == "<p><strong>Paris</strong></p>\n"
    assert events[2]["open"] == "<p>And</p>\n"


def test_whoever_comes_late_gets_all_at_once():
    [event] = drawn(growing("One.\n\nTwo."), pause=lambda _: None)
    assert Page(event["settled"] + event["open"]).text.split() == ["One.", "Two."]


def test_thinking_comes_apart_from_the_answer():
    [event] = drawn(growing("Yes.", thinking="<b>Hm"), pause=lambda _: None)
    assert (event["thinking"], event["text"]) == ("<b>Hm", "Yes.")


def test_between_two_drawings_there_is_a_pause_and_none_after_the_last():
    pauses: list[float] = []
    list(drawn(growing("a", "ab", "abc"), pause=pauses.append))
    assert len(pauses) == 3
    assert min(pauses) >= 0.08


def test_silence_is_told_so_that_the_connection_lives(monkeypatch):
    now = iter(range(0, 1000, 11))
    monkeypatch.setattr("premrunner.web.pages.chat_stream.time.monotonic", lambda: next(now))
    assert {} in list(drawn([EMPTY, EMPTY, EMPTY]))
