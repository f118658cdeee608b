"""What an engine's errors say to a user."""

import json

import pytest

from premrunner.engine.failures import error_text, failure, without_paths
from premrunner.errors import ContextLengthExceeded, EngineRefused


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"model is required"}', "model is required"),
        (b"404 page not found", "404 page not found"),
        (b'{"error":{"message":"too long","code":400}}', "too long"),
        (b'{"error":"{\\"error\\":{\\"message\\":\\"inner\\"}}"}', "inner"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[1,2]", "[1,2]"),
    ],
)
def test_the_sentence_is_found_in_every_shape_of_error(body, text):
    assert error_text(body) == text


def test_a_runner_error_inside_a_string_is_understood():
    inner = json.dumps({"error": {"code": 400, "message": "request (9 tokens) exceeds the available context size"}})
    error = failure(400, json.dumps({"error": inner}).encode())
    assert isinstance(error, ContextLengthExceeded)
    assert "9 tokens" in error.message


def test_paths_of_the_server_are_not_shown():
    body = b'{"error":"open /home/me/.ollama/models/blobs/sha256-12: no space left on device"}'
    error = failure(500, body)
    assert isinstance(error, EngineRefused)
    assert error.message == "open sha256-12: no space left on device"


def test_addresses_and_names_are_no_paths():
    text = "see https://example.com/a/b and hf.co/org/model or and/or"
    assert without_paths(text) == text


def test_an_empty_error_still_says_something():
    assert failure(500, b"").message == "The engine answered with status 500."
