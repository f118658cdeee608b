"""The chat page, and the events that it draws."""

from premrunner.domain.chat import Answer
from premrunner.records import ChatChunk, Usage
from premrunner.storage.starter_state import StarterState, write_state
from premrunner.web.pages.chat import rendered

from .conftest import csrf_token
from .reading import Page


class Said:
    """A call whose answer is known."""

    id = "the-call"
    ttft_ms = 12.5

    def __init__(self, *chunks: ChatChunk) -> None:
        self.answer = Answer()
        self._chunks = chunks

    def chunks(self):
        for chunk in self._chunks:
            self.answer.add(chunk)
            yield chunk


END = ChatChunk(finish_reason="stop", usage=Usage(10, 4, 0.0, 20.0, 40.0))


def test_an_answer_comes_as_its_trace_its_text_and_its_numbers():
    events = list(rendered(Said(ChatChunk("**Par"), ChatChunk("is**"), END), "/traces/1"))
    assert events[0] == {"trace": "/traces/1"}
    assert "".join(event["text"] for event in events[1:-1]) == "**Paris**"
    assert events[-2]["open"] == "<p><strong>Paris</strong></p>\n"
    assert events[-1]["end"] == {
        "finishReason": "stop",
        "promptTokens": 10,
        "completionTokens": 4,
        "tokensPerSecond": 100.0,
        "ttftMs": 12.5,
        "toolCalls": [],
    }


def test_thousands_of_chunks_are_drawn_a_few_times():
    chunks = [ChatChunk("word\n\n" if index % 50 == 0 else "word ") for index in range(3000)]
    events = list(rendered(Said(*chunks, END), "/traces/1"))
    assert len(events) < 100
    html = "".join(event.get("settled", "") for event in events) + events[-2]["open"]
    assert Page(html).text.split() == ["word"] * 3000


def test_thinking_comes_apart_from_the_answer():
    events = list(rendered(Said(ChatChunk(thinking="<b>Hm"), ChatChunk("Yes."), END), "/traces/1"))
    assert "".join(event.get("thinking", "") for event in events) == "<b>Hm"
    assert "".join(event.get("text", "") for event in events) == "Yes."


def test_an_empty_answer_still_ends():
    assert [list(event) for event in rendered(Said(END), "/traces/1")] == [["trace"], ["end"]]


def test_asking_without_an_engine_is_a_503_in_json(visitor):
    headers = {"X-CSRFToken": csrf_token(visitor.get("/").text), "Accept": "application/json"}
    body = {"model": "any", "messages": [{"role": "user", "content": "Hello"}]}
    answer = visitor.post("/chat/stream", json=body, headers=headers)
    assert answer.status_code == 503
    assert answer.json["error"]["code"] == "engine_not_ready"
    assert "Retry-After" in answer.headers


def test_without_an_engine_the_page_says_why_nothing_can_be_asked(visitor):
    page = visitor.get("/").text
    assert "The engine is not running" in page
    assert 'data-is-ready="false"' in page


def test_the_starter_model_shows_how_far_it_is(visitor, settings, monkeypatch, services):
    report = services.engine.report()
    running = type(report)("running", "running", "builtin", "1", None, (), "")
    monkeypatch.setattr(type(services.engine), "report", lambda self: running)
    write_state(settings.data_path / "run" / "starter.json", None)
    for path in ("/", "/models"):
        assert "There is no model yet" in visitor.get(path).text
    monkeypatch.setattr(type(services.starter), "progress", lambda self: StarterState("fetching", 42, "Fetching it."))
    for path in ("/", "/models"):
        page = Page(visitor.get(path).text)
        assert page.find("progress")[0]["value"] == "42"
        assert "Fetching it." in page.text
