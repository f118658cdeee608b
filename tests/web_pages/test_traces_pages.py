"""The list of traces, and one trace."""

import time

import pytest

from tests.databases import each_database

from .reading import Page

database_url = each_database

NASTY = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def test_an_empty_list_teaches(visitor):
    assert "Every chat and every call to the API is recorded here" in visitor.get("/traces").text


def test_the_list_shows_calls_newest_first(visitor, record):
    record(model="older")
    time.sleep(0.002)  # An id sorts by its millisecond.
    record(model="newer", status="cancelled")
    text = Page(visitor.get("/traces").text).text
    assert text.index("newer") < text.index("older")
    for shown in ("2 calls", "stopped", "ok", "50.0", "400 ms"):
        assert shown in text


def test_the_list_comes_in_pages(visitor, record):
    for _ in range(51):
        record()
    first = Page(visitor.get("/traces").text)
    assert "Page 1 of 2" in first.text
    assert len(first.find("time")) == 50
    (older,) = [link for link in first.find("a") if link.get("rel") == "next"]
    assert len(Page(visitor.get(older["href"]).text).find("time")) == 1
    assert "past the end" in visitor.get("/traces?page=3").text


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "99999999999"])
def test_a_page_number_that_is_none_is_refused(visitor, page):
    assert visitor.get(f"/traces?page={page}").status_code == 400


def test_a_trace_shows_what_was_said_and_how_long_it_took(visitor, record):
    trace_id = record(thinking="Which one?", output="It is **Paris**.")
    page = Page(visitor.get(f"/traces/{trace_id}").text)
    for shown in ("What is the capital of France?", "Which one?", "It is Paris.", "250 ms", "Prefill", "50.0 tokens/s"):
        assert shown in page.text
    bar = [part for part in page.find("rect") if part.get("class", "").startswith("phase-") and "x" in part]
    assert [(part["class"], part["x"], part["width"]) for part in bar] == [
        ("phase-load", "0.0%", "62.5%"),
        ("phase-prefill", "62.5%", "10.0%"),
        ("phase-decode", "72.5%", "15.0%"),
    ]


def test_parameters_without_effect_are_marked(visitor, record):
    given = {"model": "a-model", "temperature": 0.5, "logit_bias": {"1": 2}}
    text = Page(visitor.get(f"/traces/{record(parameters=given, ignored=['logit_bias'])}").text).text
    assert text.count("no effect") == 1
    assert '{"1":2}' in text


def test_an_error_is_shown_with_what_was_said_before_it(visitor, record):
    trace_id = record(status="error", error="The engine went away.", output="It is")
    text = Page(visitor.get(f"/traces/{trace_id}").text).text
    assert "The engine went away." in text
    assert "It is" in text


def test_a_call_that_got_no_answer_says_so(visitor, record):
    assert "No answer." in visitor.get(f"/traces/{record(status='cancelled', output='')}").text


def test_tool_calls_and_pictures_are_shown(visitor, record):
    pixel = "data:image/png;base64,iVBORw0KGgo="
    messages = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": pixel}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "zoom", "arguments": '{"by":2}'}}]},
        {"role": "tool", "content": "done"},
    ]
    trace_id = record(messages, tool_calls='[{"function":{"name":"turn","arguments":{"by":90}}}]', output="")
    page = Page(visitor.get(f"/traces/{trace_id}").text)
    assert pixel in [picture["src"] for picture in page.find("img")]
    for shown in ("Look", "zoom", '{"by":2}', "done", "turn", '"by": 90'):
        assert shown in page.text


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": NASTY}],
        [{"role": NASTY, "content": NASTY}],
        [{"role": "assistant", "content": NASTY, "reasoning_content": NASTY}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "javascript:alert(1)"}}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": 'data:image/svg+xml;base64,PA=="><script>'}]}],
        [{"role": "assistant", "tool_calls": [{"function": {"name": NASTY, "arguments": NASTY}}, 5, {"function": 5}]}],
        [5, None, [NASTY], {"content": {"text": 5}}, {"content": [5, {"text": NASTY}], "tool_calls": {"a": 1}}],
        NASTY,
    ],
)
def test_whatever_was_sent_is_shown_and_nothing_of_it_runs(visitor, record, messages):
    trace_id = record(messages, output=NASTY, thinking=NASTY, model=NASTY, error=NASTY, parameters={NASTY: NASTY})
    page = Page(visitor.get(f"/traces/{trace_id}").text)
    assert page.is_inert
    assert [picture for picture in page.find("img") if not picture["src"].startswith("/assets/")] == []
    assert Page(visitor.get("/traces").text).is_inert


def test_a_long_text_is_folded(visitor, record):
    page = visitor.get(f"/traces/{record([{'role': 'user', 'content': 'long ' * 2000}])}").text
    assert "Show the whole text" in page


def test_an_unknown_trace_is_a_page_that_says_so(visitor):
    answer = visitor.get("/traces/nothing")
    assert answer.status_code == 404
    assert "Trace not found" in answer.text
