"""A model that the engine fetches by its name: how far it is, as events; and what cannot be fetched."""

import json

import pytest

LAYERS = [
    {"status": "pulling manifest"},
    {"status": "pulling a", "digest": "sha256:a", "total": 300},
    {"status": "pulling a", "digest": "sha256:a", "total": 300, "completed": 150},
    {"status": "pulling b", "digest": "sha256:b", "total": 100, "completed": 100},
    {"status": "pulling a", "digest": "sha256:a", "total": 300, "completed": 300},
    {"status": "success"},
]


def events(answer) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line]


def pull(api, name: str):
    return api.post("/api/pull", json={"model": name})


def test_a_pull_tells_how_far_all_layers_together_are(api, engine):
    engine.lines = LAYERS
    told = events(pull(api, "gemma3:270m"))
    assert engine.asked == [("/api/pull", {"model": "gemma3:270m", "stream": True})]
    assert [event.get("percent") for event in told[:-1]] == [0, 0, 50, 62, 100, 100]
    assert told[3]["doneBytes"] == 250
    assert told[-1] == {"ready": "gemma3:270m"}


def test_a_failure_after_the_first_line_is_the_last_event(api, engine):
    engine.lines = [LAYERS[0], {"error": "pull model manifest: file does not exist"}]
    told = events(pull(api, "nobody"))
    assert "file does not exist" in told[-1]["error"]["message"]


def test_an_engine_that_stops_in_the_middle_has_not_finished(api, engine):
    engine.lines = LAYERS[:3]
    assert "before it had finished" in events(pull(api, "gemma3"))[-1]["error"]["message"]


@pytest.mark.parametrize("name", ["../etc", "a b", "http://host/x", "x" * 400, "-x"])
def test_what_is_no_name_is_refused_and_the_engine_not_asked(api, engine, name):
    answer = pull(api, name)
    assert (answer.status_code, answer.json["error"]["param"]) == (400, "model")
    assert engine.asked == []


INSIDE = ["127.0.0.1:22/x/y", "localhost/x/y:z", "2130706433/x/y", "169.254.169.254/latest/meta-data", "10.0.0.1:80/x"]


@pytest.mark.parametrize("name", INSIDE)
def test_a_registry_that_only_we_can_reach_is_refused_and_the_engine_not_asked(api, engine, name):
    answer = pull(api, name)
    assert (answer.status_code, answer.json["error"]["param"]) == (400, "model")
    assert "PULL_REGISTRIES" in answer.json["error"]["message"]
    assert engine.asked == []


@pytest.mark.parametrize("registries", [("localhost",), ("*",)])
def test_a_registry_of_our_network_is_asked_when_it_is_named(app, api, engine, monkeypatch, registries):
    monkeypatch.setattr(app.extensions["premrunner"].pulling, "_registries", registries)
    engine.lines = LAYERS
    assert events(pull(api, "localhost:5000/team/model"))[-1] == {"ready": "localhost:5000/team/model"}


def test_pulling_is_offered_where_there_is_a_registry(api, client, token, engine):
    client.get(f"/login?token={token}")
    assert "data-pull" in client.get("/models").text


def test_without_a_registry_it_is_neither_offered_nor_done(api, client, token):
    client.get(f"/login?token={token}")
    assert "data-pull" not in client.get("/models").text
    assert pull(api, "gemma3").status_code == 503
