"""Secrets and prompts stand in no log, no trace, no error and no list of processes."""

import logging

import pytest
from live.processes import children_of, command_of

PROMPT = "a prompt that nobody else shall read"


def test_no_process_shows_a_secret_in_its_command(live_server):
    pids = [live_server.process.pid, *children_of(live_server.process.pid)]
    assert len(pids) >= 4
    for pid in pids:
        assert live_server.token not in command_of(pid)


def test_the_log_of_a_run_holds_no_token_and_no_prompt(live_server):
    live_server.chat(PROMPT, max_tokens=4)
    live_server.get("/v1/traces/nothing")
    live_server.post("/api/auth/verify", {"token": "a-wrong-token-that-was-tried"})
    log = (live_server.data_path.parent / f"{live_server.data_path.name}.log").read_text()
    # `serve` shows the link to log in once, to whoever started it.
    shown = [line for line in log.splitlines() if live_server.token in line]
    assert [line.split()[:2] for line in shown] == [["Log", "in"]]
    assert PROMPT not in log
    assert "a-wrong-token-that-was-tried" not in log


def test_a_trace_holds_no_secret_of_its_request(api, app, token):
    body = {"model": "nothing", "messages": [{"role": "user", "content": "Hi"}]}
    answer = api.post("/v1/chat/completions", json=body, headers={"Cookie": "premrunner_session=a-cookie"})
    trace = api.get(f"/v1/traces/{answer.headers['x-request-id']}").text
    assert token not in trace
    assert "a-cookie" not in trace


@pytest.mark.parametrize("path", ["/v1/models", "/traces", "/api/keys"])
def test_a_mistake_of_ours_shows_nothing_of_itself(api, app, monkeypatch, caplog, path, token):
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail():
        raise RuntimeError(f"secret {token} at /srv/data")

    app.before_request_funcs.setdefault(None, []).append(fail)
    with caplog.at_level(logging.CRITICAL):
        answer = api.get(path, headers={"Accept": "application/json"})
    assert answer.status_code == 500
    for hidden in (token, "/srv/data", "RuntimeError", "Traceback"):
        assert hidden not in answer.text


def test_an_access_key_is_kept_as_its_digest_only(app, settings):
    secret = app.extensions["premrunner"].keys.create("program").secret
    for file in settings.data_path.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file.name
