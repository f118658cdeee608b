"""The list of traces, and one trace."""

import time

import pytest

from tests.databases import each_database

from .conftest import csrf_token
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


def rows(page: Page) -> list[str]:
    return [row["data-id"] for row in page.find("tr") if "data-id" in row]


def link(page: Page, rel: str) -> str:
    (found,) = [one["href"] for one in page.find("a") if one.get("rel") == rel]
    return found


def test_the_list_comes_in_pages_both_ways_and_keeps_its_filter(visitor, record):
    calls = sorted(record(model="a b&c") for _ in range(51))
    record(model="other")
    first = Page(visitor.get("/traces?model=a+b%26c").text)
    assert sorted(rows(first)) == sorted(calls[1:])
    second = Page(visitor.get(link(first, "next")).text)
    assert rows(second) == [calls[0]]
    assert sorted(rows(Page(visitor.get(link(second, "prev")).text))) == sorted(calls[1:])
    assert rows(Page(visitor.get("/traces?model=a+b%26c&after=0").text))[-1] == calls[0]
    assert "past the end" in visitor.get("/traces?before=0").text


def test_the_form_shows_the_filter_that_is_in_force(visitor, record):
    record(model="m1")
    record(model="m2", status="error", output="")
    page = visitor.get("/traces?model=m2&status=error&q=capital&range=24h").text
    assert len(rows(Page(page))) == 1
    chosen = [option["value"] for option in Page(page).find("option") if "selected" in option]
    assert chosen == ["m2", "error", "24h"]
    (words,) = [field for field in Page(page).find("input") if field.get("type") == "search"]
    assert words["value"] == "capital"
    assert "None fits this filter." in visitor.get("/traces?q=nothing").text


@pytest.mark.parametrize("query", ["range=week", "since=yesterday", "status=fine", "feedback=none", "before=1&after=2"])
def test_a_filter_that_is_none_is_refused(visitor, query):
    assert visitor.get(f"/traces?{query}").status_code == 400


def test_the_charts_have_their_figures_in_a_table(visitor, record):
    record(duration_ms=400.0)
    record(status="error", output="", duration_ms=10.0)
    page = Page(visitor.get("/traces").text)
    assert [part["class"] for part in page.find("path") if part.get("class", "").startswith("is-")] == [
        *("is-calls", "is-failed", "is-p95", "is-p50", "is-prompt", "is-answer"),
    ]
    for shown in ("Calls 2", "Failed 1", "Prompt 24", "Answer 6", "Figures by 5 minutes"):
        assert shown in " ".join(page.text.split())


def test_news_are_new_rows_and_running_ones_that_ended(visitor, services, record):
    first = record()
    known = rows(Page(visitor.get("/traces").text))[0]
    assert visitor.get(f"/traces/news?newest={known}").json == {"changed": {}, "figures": "", "rows": ""}
    time.sleep(0.002)
    second = record(model="m2")
    news = visitor.get(f"/traces/news?newest={known}&running={first}").json
    assert rows(Page(news["rows"])) == [second] == [news["newest"]]
    assert rows(Page(news["changed"][first])) == [first]
    assert news["total"] == "2 calls"
    assert visitor.get(f"/traces/news?newest={known}&model=m1").json["rows"] == ""


def test_a_filtered_list_is_deleted_and_what_came_later_stays(visitor, record):
    for model in ("m1", "m1", "m2"):
        record(model=model)
    page = Page(visitor.get("/traces?model=m1").text)
    (newest,) = [field["value"] for field in page.find("input") if field.get("name") == "newest"]
    (form,) = [form for form in page.find("form") if form.get("data-verb") == "Delete 2 calls"]
    time.sleep(0.002)
    record(model="m1")
    fields = {"csrf_token": csrf_token(visitor.get("/traces").text), "newest": newest, "model": "m1"}
    assert visitor.post(form["action"], data=fields).status_code == 302
    assert "2 calls deleted." in (after := visitor.get("/traces").text)
    assert len(rows(Page(after))) == 2
    assert visitor.post(form["action"], data={"model": "m1"}).status_code == 403


def test_an_answer_is_rated_noted_and_corrected_word_by_word(visitor, record):
    trace_id = record(output="The capital is Lyon.")
    address = f"/traces/{trace_id}"
    token = {"csrf_token": csrf_token(visitor.get(address).text)}
    for said in ({"rating": "bad"}, {"note": "a <b>note</b>"}, {"correction": "The capital is Paris <now>."}):
        assert visitor.post(f"{address}/feedback", data=token | said).status_code == 302
    shown = visitor.get(address).text
    assert "The capital is <del>Lyon</del><ins>Paris &lt;now&gt;</ins>." in shown
    assert "a &lt;b&gt;note&lt;/b&gt;" in shown
    assert [one["aria-pressed"] for one in Page(shown).find("button") if "aria-pressed" in one] == ["false", "true"]
    assert "corrected" in visitor.get("/traces?feedback=down").text
    visitor.post(f"{address}/feedback", data=token | {"correction": "The capital is Lyon."})
    assert "<del>" not in visitor.get(address).text
    assert visitor.post(f"{address}/feedback", data=token | {"rating": "great"}).status_code == 400


def test_one_call_is_deleted(visitor, record):
    address = f"/traces/{record()}"
    token = {"csrf_token": csrf_token(visitor.get(address).text)}
    assert visitor.post(f"{address}/delete", data=token).status_code == 302
    assert visitor.get(address).status_code == 404
    assert visitor.post(f"{address}/delete", data=token).status_code == 404


def test_a_plain_prompt_is_shown_without_quotes(visitor, record):
    page = visitor.get(f"/traces/{record('Once upon a time')}").text
    assert '<p class="as-written">Once upon a time</p>' in page


def test_the_request_can_be_taken_away_as_code(visitor, record):
    given = {"temperature": 0.5, "stream": True}
    page = Page(visitor.get(f"/traces/{record([{'role': 'user', 'content': chr(39)}], parameters=given)}").text)
    for shown in ("curl http://localhost/v1/chat/completions", "'stream': True", "await fetch(", "temperature"):
        assert shown in page.text


def test_a_page_of_a_great_request_stays_small(visitor, record):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 3_000_000}}
    trace_id = record([{"role": "user", "content": [picture, {"type": "text", "text": "long " * 50_000}]}])
    page = visitor.get(f"/traces/{trace_id}")
    assert "(3,000,022 characters)" in page.text
    assert len(page.data) < 330_000  # The long text is read in its place, the picture from its own.
    shown = visitor.get(f"/traces/{trace_id}/pictures/0")
    assert (len(shown.data), shown.mimetype) == (2_250_000, "image/png")


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
    pixel, broken = ({"url": f"data:image/png;base64,{data}"} for data in ("iVBORw0KGgo=", "iVBORw0KGg"))
    messages = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": broken}],
        },
        {"role": "user", "content": [{"type": "image_url", "image_url": pixel}]},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "zoom", "arguments": '{"by":2}'}}]},
        {"role": "tool", "content": "done"},
    ]
    trace_id = record(messages, tool_calls='[{"function":{"name":"turn","arguments":{"by":90}}}]', output="")
    page = Page(visitor.get(f"/traces/{trace_id}").text)
    addresses = [picture["src"] for picture in page.find("img") if picture.get("loading") == "lazy"]
    assert addresses == [f"/traces/{trace_id}/pictures/{number}" for number in range(2)]
    answers = [visitor.get(f"/traces/{trace_id}/pictures/{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [404, 200, 404]
    assert (answers[1].data, answers[1].mimetype) == (b"\x89PNG\r\n\x1a\n", "image/png")
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
