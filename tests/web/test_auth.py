"""Who may come in, and what the others are told."""

import pytest

from premrunner.config import load_settings

PROTECTED = ["/v1/models", "/v1/traces", "/api/hello", "/api/ollama/status", "/api/chat/history", "/api/v1/models"]


@pytest.mark.parametrize("path", PROTECTED)
def test_every_api_needs_the_token(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json["error"] == {
        "message": "Authentication required",
        "type": "authentication_error",
        "param": None,
        "code": "invalid_api_key",
    }


@pytest.mark.parametrize("header", ["Bearer wrong-token-here", "bearer x", "Bearer é"])
def test_a_wrong_token_is_refused(client, header):
    answer = client.get("/v1/models", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json["error"]["message"] == "Invalid token"


@pytest.mark.parametrize("header", ["{token}", "Basic {token}", "Bearer", "Bearer {token} more", ""])
def test_what_is_no_bearer_token_is_no_authentication(client, token, header):
    answer = client.get("/v1/models", headers={"Authorization": header.format(token=token)})
    assert answer.status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(client, token, scheme):
    assert client.get("/api/hello", headers={"Authorization": f"{scheme} {token}"}).status_code == 200


def test_verify_says_whether_a_token_is_right(client, token):
    assert client.post("/api/auth/verify", json={"token": token}).json == {"success": True}
    answer = client.post("/api/auth/verify", json={"token": "something else"})
    assert (answer.status_code, answer.json["error"]["message"]) == (401, "Invalid token")


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": 5}, {"token": ["x"]}])
def test_verify_takes_odd_tokens_for_wrong_ones(client, body):
    assert client.post("/api/auth/verify", json=body).status_code == 401


def test_guessing_is_stopped_also_for_the_right_token(client, token):
    for _ in range(5):
        assert client.post("/api/auth/verify", json={"token": "guess"}).status_code == 401
    answer = client.post("/api/auth/verify", json={"token": token})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_health_needs_no_token_and_shows_nothing(client):
    assert client.get("/health").json == {"status": "ok"}


def test_short_tokens_are_refused_at_start():
    from premrunner.errors import SettingsInvalid

    with pytest.raises(SettingsInvalid):
        load_settings({"AUTH_TOKEN": "123456789"}, dotenv=None)
