"""What Prometheus reads: right sums, over all web processes, and only for those who may."""

import os
import signal
import time
from dataclasses import replace

import pytest
import requests
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from premrunner.app import create_app, prepare_database
from premrunner.extensions import db
from premrunner.records import TraceFinished, Usage, new_id
from tests.databases import each_database
from tests.uploads.conftest import running_site

database_url = each_database


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return each value by its name and labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_calls_are_counted_with_tokens_and_time_to_first_token(api, app):
    tracing = app.extensions["premrunner"].tracing
    metrics = app.extensions["premrunner"].metrics
    metrics.call_began()
    assert samples(api.get("/metrics").text)["premrunner_calls_open",] == 1
    tracing.finish(TraceFinished(new_id(), "ok", usage=Usage(12, 3), ttft_ms=40))
    seen = samples(api.get("/metrics").text)
    assert seen["premrunner_calls_open",] == 0
    assert seen["premrunner_calls_total", "ok"] == 1
    assert seen["premrunner_tokens_total", "prompt"] == 12
    assert seen["premrunner_tokens_total", "completion"] == 3
    assert seen["premrunner_time_to_first_token_seconds_bucket", "0.025"] == 0
    assert seen["premrunner_time_to_first_token_seconds_bucket", "0.05"] == 1


def test_requests_are_counted_by_route_and_never_by_address(api):
    for path in ("/v1/traces/1", "/v1/traces/2", "/nothing/1", "/nothing/2"):
        api.get(path)
    seen = samples(api.get("/metrics").text)
    assert seen["premrunner_requests_total", "GET", "/v1/traces/<trace_id>", "404"] == 2
    assert seen["premrunner_requests_total", "none", "none", "404"] == 2
    assert not [key for key in seen if "/nothing/1" in key]


def test_imports_uploads_disk_and_engine_are_looked_up(api):
    wish = {"fileName": "model.gguf", "fileSize": 10, "modelName": "Model"}
    assert api.post("/v1/chunked-upload/start", json=wish).status_code == 200
    seen = samples(api.get("/metrics").text)
    assert seen["premrunner_uploads_open",] == 1
    assert seen["premrunner_uploads_received_bytes",] == 0
    assert seen["premrunner_imports", "queued"] == 0
    assert seen["premrunner_disk_free_bytes",] > 0
    assert sum(value for key, value in seen.items() if key[0] == "premrunner_engine_state") == 1


def test_without_the_token_it_is_a_401_for_programs(client):
    answer = client.get("/metrics")
    assert answer.status_code == 401
    assert answer.json["error"]["code"] == "invalid_api_key"


def test_an_access_key_may_not_read_it(client, app):
    secret = app.extensions["premrunner"].keys.create("program").secret
    assert client.get("/metrics", headers={"Authorization": f"Bearer {secret}"}).status_code == 403


def test_it_may_be_public(settings):
    app: Flask = create_app(replace(settings, metrics_access="public"))
    prepare_database(app)
    assert app.test_client().get("/metrics").status_code == 200
    assert app.test_client().get("/v1/traces").status_code == 401
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("database_url", [""])
def test_two_web_processes_are_one_sum_also_after_one_has_died(tmp_path, settings):
    with running_site(tmp_path / "site", WEB_WORKERS="2") as site:

        def hellos() -> float:
            return samples(site.request("GET", "/metrics").text).get(
                ("premrunner_requests_total", "GET", "/api/hello", "200"), 0
            )

        answers = [requests.get(site.url + "/api/hello", headers=site.headers, timeout=10) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert {hellos() for _ in range(6)} == {20}
        killed = site.workers[0]
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while killed in site.workers or len(site.workers) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert {hellos() for _ in range(6)} == {20}
