"""Log lines: one event a line, with its ids, as text or as JSON."""

import io
import json
import logging

import pytest

from premrunner.logs import JsonFormatter, TextFormatter, request_id


def record(message: str, *, error: Exception | None = None, **fields) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    made = logging.LogRecord("premrunner.place", logging.WARNING, "file", 1, message, None, info)
    made.__dict__.update(fields)
    return made


def test_a_line_of_json_has_the_message_and_its_ids():
    line = json.loads(JsonFormatter().format(record("It happened.", import_id="abc")))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "premrunner.place",
        "message": "It happened.",
        "import_id": "abc",
    }


def test_a_traceback_stays_on_the_line_of_its_event():
    text = JsonFormatter().format(record("It broke.", error=ValueError("why")))
    assert "\n" not in text
    assert "ValueError: why" in json.loads(text)["traceback"]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_lines_carry_the_request_at_hand(formatter):
    was = request_id.set("the-request")
    try:
        assert "the-request" in formatter.format(record("It happened."))
    finally:
        request_id.reset(was)
    assert "the-request" not in formatter.format(record("It happened."))


def test_a_name_with_a_line_break_forges_no_line():
    text = TextFormatter().format(record("Model 'a\n2026-01-01 ERROR forged' was deleted."))
    assert "\n" not in text


def test_what_a_request_logs_carries_its_id(api, app, monkeypatch):
    lines = io.StringIO()
    monkeypatch.setattr(logging.getLogger("premrunner").handlers[0], "stream", lines)

    @app.get("/v1/test-log")
    def log() -> str:
        logging.getLogger("premrunner.test").warning("Seen.")
        return ""

    answer = api.get("/v1/test-log")
    assert f"Seen. request_id={answer.headers['x-request-id']}" in lines.getvalue()
