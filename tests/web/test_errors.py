"""Errors have one shape, the right status, and no secrets."""

import pytest
from flask import Blueprint

from premrunner import errors
from premrunner.web.errors import FACES, error_body, face_of


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/api/nothing", 404),
        ("DELETE", "/v1/chat/completions", 405),
        ("GET", "/v1/traces/none", 404),
        ("GET", "/v1/traces?page=0", 400),
        ("GET", "/v1/traces?limit=9999", 400),
        ("GET", "/v1/traces?page=NaN", 400),
        ("GET", "/v1/traces?page=-1", 400),
        ("GET", "/v1/models/unknown/status", 404),
    ],
)
def test_every_error_has_openais_shape(api, method, path, status):
    answer = api.open(path, method=method)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}
    assert answer.json["error"]["message"]


def test_a_wrong_verb_says_which_is_right(api):
    answer = api.delete("/v1/chat/completions")
    assert "it takes POST" in answer.json["error"]["message"]
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b"null", b'"x"', b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"a":"\\ud800"}']
)
def test_a_body_that_is_no_json_object_is_a_clear_400(api, app, body):
    answer = api.post("/api/auth/verify", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert "JSON" in answer.json["error"]["message"]


def test_a_request_past_the_limit_is_413(api, app):
    app.config["MAX_CONTENT_LENGTH"] = 100
    answer = api.post("/api/auth/verify", data=b"x" * 101)
    assert answer.status_code == 413
    assert "100 bytes" in answer.json["error"]["message"]


def test_a_mistake_of_ours_shows_nothing_of_itself(app, token, caplog):
    bp = Blueprint("broken", __name__)

    @bp.get("/v1/broken")
    def broken():
        raise RuntimeError(f"secret {token} in /home/me")

    app.register_blueprint(bp)
    answer = app.test_client().get("/v1/broken", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 500
    assert answer.json["error"]["code"] == "internal_error"
    assert token not in answer.text
    assert "/home" not in answer.text
    assert answer.headers["x-should-retry"] == "false"


def test_without_an_engine_a_chat_is_told_to_wait(api):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    for path in ("/v1/chat/completions", "/api/v1/chat/completions", "/api/chat/send"):
        answer = api.post(path, json=body | {"message": "Hi"})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json["error"]["code"] == "engine_not_ready"
        assert "premrunner serve" in answer.json["error"]["message"]


def test_every_answer_carries_its_own_request_id(api):
    ids = {api.get(path).headers["x-request-id"] for path in ("/api/hello", "/v1/nothing", "/v1/models")}
    assert len(ids) == 3


def test_every_error_of_ours_has_a_face():
    def leaves(kind):
        below = kind.__subclasses__()
        return [kind] if not below else [leaf for child in below for leaf in leaves(child)]

    never_on_the_wire = {
        errors.SettingsInvalid,
        errors.PortTaken,
        errors.StarterUnavailable,
        errors.DownloadFailed,
        errors.EngineOwned,
        errors.InstallFailed,
    }
    foreseen = tuple(kind for kind, _ in FACES)
    for kind in leaves(errors.PremRunnerError):
        if kind.__module__ == "premrunner.errors" and kind not in never_on_the_wire:
            assert issubclass(kind, foreseen), kind


@pytest.mark.parametrize(("status", "expected"), [(400, 400), (404, 400), (501, 400), (503, 503), (500, 500), (0, 500)])
def test_what_the_engine_refuses_is_the_callers_only_when_it_is(status, expected):
    assert face_of(errors.EngineRefused("no", status=status)).status == expected


def test_a_named_parameter_reaches_the_client():
    body = error_body(errors.ContextLengthExceeded("too long"))
    assert body["error"]["code"] == "context_length_exceeded"
    assert body["error"]["param"] == "messages"
