"""Text of strangers (names, prompts, answers, templates, file names) is text wherever it is shown."""

import pytest

from premrunner.domain.chat import ChatCall
from premrunner.extensions import db
from premrunner.records import Caller, ChatRequest, TraceFinished, new_id
from premrunner.storage.database import Database
from premrunner.storage.model_store import ModelStore
from tests.web_pages.reading import Page

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>"
PAGES = ["/", "/models", "/traces", "/settings"]


@pytest.fixture
def visitor(client, token):
    """A browser that has logged in."""
    client.get(f"/login?token={token}")
    return client


@pytest.fixture
def trace_id(app) -> str:
    """A call whose every text is nasty."""
    tracing, trace_id = app.extensions["premrunner"].tracing, new_id()
    messages = [{"role": NASTY, "content": NASTY}]
    call = ChatCall(ChatRequest(NASTY, messages), messages, {"model": NASTY, NASTY: NASTY}, [NASTY])
    tracing.begin(call, Caller(trace_id, NASTY, NASTY))
    tracing.finish(TraceFinished(trace_id, "error", NASTY, thinking=NASTY, error=NASTY, finish_reason=NASTY[:40]))
    return trace_id


@pytest.fixture
def nasty_model(app, api):
    """A model, an upload and a key with nasty names."""
    with app.app_context():
        models = ModelStore(Database(db.engine))
    model = models.add(NASTY, "nasty", 1)
    models.change(model.id, findings={"template": NASTY, "architecture": NASTY}, proof={"answer": NASTY})
    api.post("/v1/chunked-upload/start", json={"fileName": "<b>x.gguf", "fileSize": 5, "modelName": NASTY})
    app.extensions["premrunner"].keys.create(NASTY[:90])
    return model.id


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_names_of_strangers_as_text(visitor, trace_id, nasty_model, path):
    answer = visitor.get(path)
    assert answer.status_code == 200
    assert Page(answer.text).is_inert
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text


def test_the_page_of_a_trace_shows_what_was_said_as_text(visitor, trace_id):
    answer = visitor.get(f"/traces/{trace_id}")
    assert answer.status_code == 200
    assert Page(answer.text).is_inert
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text


def test_an_error_page_shows_the_address_as_text(visitor):
    answer = visitor.get("/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text


def test_json_is_never_taken_for_a_page(api, trace_id):
    answer = api.get(f"/v1/traces/{trace_id}")
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


BREAKS = "a\r\nSet-Cookie: stolen=1\r\n\r\n<script>"


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", "/login", {"query_string": {"token": "a-token-for-tests", "next": f"/{BREAKS}"}}),
        ("GET", "/traces", {"query_string": {"page": BREAKS}}),
        ("GET", f"/v1/models/{BREAKS}", {}),
        ("POST", "/v1/chunked-upload/start", {"json": {"fileName": BREAKS, "fileSize": 1, "modelName": BREAKS}}),
        ("POST", "/v1/chat/completions", {"json": {"model": BREAKS, "messages": []}}),
        ("OPTIONS", "/v1/models", {"headers": {"Origin": "https://a.example\tX: y"}}),
    ],
)
def test_no_text_of_a_stranger_becomes_a_header(api, method, path, given):
    answer = api.open(path, method=method, **given)
    assert answer.status_code != 500
    assert "stolen" not in answer.headers.get("Set-Cookie", "")
    assert not [value for _, value in answer.headers if "\n" in value or "\r" in value]


def test_an_id_that_a_client_sends_is_not_taken_for_ours(api):
    answer = api.get("/api/hello", headers={"X-Request-Id": "theirs"})
    assert answer.headers["x-request-id"] != "theirs"
