"""What a program with an access key may do, and how much of it."""

import pytest
from click.testing import CliRunner

from premrunner.cli import main
from premrunner.domain.keys import AccessKeys
from premrunner.errors import InvalidRequest, KeyNotFound
from premrunner.storage.database import Database
from premrunner.storage.key_store import KeyStore
from premrunner.storage.tables import AccessKeyRow
from tests.databases import each_database

database_url = each_database

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


# The first second of a minute.
NOW = 1_000_000_020.0


@pytest.fixture
def keys(app, monkeypatch) -> AccessKeys:
    """The application's keys, for which time stands still: no minute or day ends in the middle of a test."""
    keys = app.extensions["premrunner"].keys
    monkeypatch.setattr(keys, "_clock", lambda: NOW)
    return keys


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_key_calls_models_and_its_traces_carry_its_name(api, client, engine, keys):
    secret = keys.create("CI of the website").secret
    engine.says({"content": "Hello"})
    answer = client.post("/v1/chat/completions", json=CHAT, headers=bearer(secret))
    assert answer.status_code == 200
    assert "x-ratelimit-limit-requests" not in answer.headers
    [trace] = api.get("/v1/traces").json["traces"]
    assert trace["keyName"] == "CI of the website"
    assert [key.last_used_at is not None for key in keys.all()] == [True]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/traces"),
        ("GET", "/v1/traces/"),
        ("DELETE", "/v1/models/m"),
        ("POST", "/v1/models/upload"),
        ("POST", "/v1/chunked-upload/start"),
        ("GET", "/api/keys"),
        ("POST", "/api/keys"),
        ("POST", "/api/pull"),
        ("POST", "/api/chat/send"),
        ("GET", "/api/chat/history"),
        ("GET", "/"),
    ],
)
def test_a_key_does_nothing_else(client, keys, method, path):
    secret = keys.create("program").secret
    answer = client.open(path, method=method, json={}, headers={**bearer(secret), "Accept": "application/json"})
    assert answer.status_code == 403
    assert answer.json["error"]["type"] == "permission_error"


def test_a_key_for_some_models_knows_of_no_others(client, engine, keys):
    headers = bearer(keys.create("program", models=["other"]).secret)
    assert [model["id"] for model in client.get("/v1/models", headers=headers).json["data"]] == ["other"]
    assert [model["id"] for model in client.get("/v1/models/", headers=headers).json] == ["other"]
    assert client.get("/v1/models/m", headers=headers).status_code == 404
    assert client.get("/v1/models/running?model=m", headers=headers).json == {"status": False}
    refused = client.post("/v1/chat/completions", json=CHAT, headers=headers)
    assert (refused.status_code, refused.json["error"]["code"]) == (404, "model_not_found")
    assert client.post("/v1/models/down", json={"model": "m"}, headers=headers).status_code == 404
    assert engine.asked == []
    engine.says({"content": "Hello"})
    assert client.post("/v1/chat/completions", json={**CHAT, "model": "other"}, headers=headers).status_code == 200
    assert client.post("/v1/chat/completions", json={**CHAT, "project_id": 1}, headers=headers).status_code == 404


def test_too_many_requests_in_a_minute_are_openais_429(client, engine, keys):
    headers = bearer(keys.create("program", requests_per_minute=2).secret)
    engine.says({"content": "Hello"})
    answers = [client.post("/v1/chat/completions", json=CHAT, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].headers["x-ratelimit-limit-requests"] == "2"
    assert answers[2].headers["Retry-After"] == "60"
    assert answers[2].headers["x-ratelimit-reset-requests"] == "60s"
    error = answers[2].json["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "x-should-retry" not in answers[2].headers
    assert client.get("/v1/models", headers=headers).status_code == 200


def test_a_day_ends_when_its_tokens_are_used_up_and_clients_are_told_not_to_wait(client, engine, keys):
    headers = bearer(keys.create("program", tokens_per_day=8).secret)
    engine.says({"content": "Hello"})  # Five tokens each.
    answers = [client.post("/v1/chat/completions", json=CHAT, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-tokens"] for answer in answers] == ["8", "3", "0"]
    error = answers[2].json["error"]
    assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")
    assert answers[2].headers["x-should-retry"] == "false"


def test_on_anthropics_wire_a_limit_has_anthropics_word(client, engine, keys):
    headers = {"x-api-key": keys.create("program", requests_per_minute=1).secret}
    engine.says({"content": "Hello"})
    body = {**CHAT, "max_tokens": 1}
    assert client.post("/v1/messages", json=body, headers=headers).status_code == 200
    refused = client.post("/v1/messages", json=body, headers=headers)
    assert (refused.status_code, refused.json["error"]["type"]) == (429, "rate_limit_error")


def test_an_answer_that_is_cut_is_charged_by_its_pieces(client, engine, keys):
    headers = bearer(keys.create("program", tokens_per_day=100).secret)
    engine.lines = [{"message": {"content": "a"}, "done": False}] * 7
    client.post("/v1/chat/completions", json=CHAT, headers=headers)
    engine.says({"content": "Hello"})
    answer = client.post("/v1/chat/completions", json=CHAT, headers=headers)
    assert answer.headers["x-ratelimit-remaining-tokens"] == "93"


def test_a_revoked_key_is_none_at_once(client, engine, keys):
    made = keys.create("program")
    keys.revoke(made.key.id)
    answer = client.get("/v1/models", headers=bearer(made.secret))
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "invalid_api_key")
    with pytest.raises(KeyNotFound):
        keys.revoke("program")


def test_the_database_knows_no_key(app, keys):
    secret = keys.create("program").secret
    with keys._store._database.session() as session:
        row = session.query(AccessKeyRow).one()
        assert secret not in str({column.name: getattr(row, column.name) for column in AccessKeyRow.__table__.columns})
        assert row.hint.endswith(secret[-4:])


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines"])
def test_a_key_needs_a_name(keys, name):
    with pytest.raises(InvalidRequest) as caught:
        keys.create(name)
    assert caught.value.param == "name"


def test_two_keys_of_one_name_could_not_be_told_apart(keys):
    keys.create("program")
    with pytest.raises(InvalidRequest, match="already"):
        keys.create(" program ")


def test_counts_begin_anew_with_the_minute_and_the_day(app, keys):
    now = NOW
    store: KeyStore = keys._store
    clocked = AccessKeys(store, clock=lambda: now)
    key = clocked.create("program", requests_per_minute=5, tokens_per_day=10).key
    assert [clocked.use(key).requests_used for _ in range(2)] == [1, 2]
    clocked.spend(key, 7)
    assert clocked.use(key).tokens_used == 7
    now += 60
    allowance = clocked.use(key)
    assert (allowance.requests_used, allowance.tokens_used) == (1, 7)
    now += 24 * 3600
    assert clocked.use(key).tokens_used == 0
    now += 24 * 3600
    clocked.spend(key, 4)
    assert clocked.use(key).tokens_used == 4
    assert isinstance(store._database, Database)


def test_the_owner_makes_lists_and_revokes_keys_over_the_api(api, client):
    wish = {"name": "program", "models": ["m"], "requestsPerMinute": 3, "tokensPerDay": 1000}
    made = api.post("/api/keys", json=wish).json
    secret = made.pop("key")
    assert secret.startswith("premrunner-")
    assert {name: made[name] for name in wish} == wish
    assert api.get("/api/keys").json == {"keys": [made]}
    assert api.post("/api/keys", json=wish).status_code == 400
    assert api.post("/api/keys", json={**wish, "requestsPerMinute": 0}).json["error"]["param"] == "requestsPerMinute"
    assert api.delete(f"/api/keys/{made['id']}").json["name"] == "program"
    assert api.delete(f"/api/keys/{made['id']}").status_code == 404


def test_the_command_line_makes_lists_and_revokes_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_PATH", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        done = CliRunner().invoke(main, ["keys", *words])
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    secret = run("create", "program", "--model", "m", "--model", "n", "--requests-per-minute", "3").splitlines()[-1]
    assert secret.startswith("premrunner-")
    listed = run("list")
    assert secret not in listed
    assert all(word in listed for word in ("program", secret[-4:], "3 requests a minute", "m, n"))
    assert run("revoke", "program") == "Revoked program."
    assert run("list") == ""
    failed = CliRunner().invoke(main, ["keys", "revoke", "program"])
    assert failed.exit_code == 1
