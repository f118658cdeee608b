"""The chat page while there is nobody to ask."""

from premrunner.storage.starter_state import StarterState, write_state

from .conftest import csrf_token
from .reading import Page


def test_asking_without_an_engine_is_a_503_in_json_and_keeps_nothing(visitor, services):
    headers = {"X-CSRFToken": csrf_token(visitor.get("/").text), "Accept": "application/json"}
    answer = visitor.post("/chat/messages", json={"model": "any", "text": "Hello"}, headers=headers)
    assert answer.status_code == 503
    assert answer.json["error"]["code"] == "engine_not_ready"
    assert "Retry-After" in answer.headers
    assert services.conversations.latest() == []


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
        assert "42" in [progress.get("value") for progress in page.find("progress")]
        assert "Fetching it." in page.text


def test_a_call_opens_in_the_chat_with_its_messages(visitor, record):
    trace_id = record()
    opened = visitor.get(f"/chat?from_trace={trace_id}")
    assert opened.status_code == 303
    page = Page(visitor.get(opened.location).text)
    assert "What is the capital of France?" in page.text
    assert "Paris." in page.text
    assert f"/traces/{trace_id}" in [link.get("href") for link in page.find("a")]


def test_a_call_that_does_not_exist_opens_nothing(visitor, services):
    assert visitor.get("/chat?from_trace=000000000000000000000000").status_code == 404
    assert services.conversations.latest() == []
