"""Compressed bodies, requests from other sites' pages, and what an OPTIONS or a HEAD is told."""

import gzip
import json
import sys
import zlib

import pytest

from premrunner.app import create_app
from premrunner.config import load_settings
from premrunner.errors import SettingsInvalid

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = json.dumps({"token": "a-token-for-tests"}).encode()
VERIFY = "/api/auth/verify"
ORIGIN = "https://example.com"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("zstd", zstd.compress(BODY)),
        ("identity", BODY),
    ],
)
def test_encoded_bodies_are_read(client, encoding, body):
    assert client.post(VERIFY, data=body, headers={"Content-Encoding": encoding}).json == {"success": True}


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_bomb_is_413_and_never_inflated(client, app, compress):
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    encoding = "gzip" if compress is gzip.compress else "zstd"
    bomb = compress(b" " * 200_000_000)
    assert len(bomb) < 1_000_000
    answer = client.post(VERIFY, data=bomb, headers={"Content-Encoding": encoding})
    assert answer.status_code == 413
    assert "1000000 bytes" in answer.json["error"]["message"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", [0, 5, -1])
def test_what_is_not_as_its_encoding_says_is_a_400(client, encoding, cut):
    compress = gzip.compress if encoding == "gzip" else zstd.compress
    answer = client.post(VERIFY, data=compress(BODY)[:cut], headers={"Content-Encoding": encoding})
    assert answer.status_code == 400
    assert encoding in answer.json["error"]["message"]


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "x"])
def test_an_encoding_that_nobody_reads_here_is_a_415(client, encoding):
    answer = client.post(VERIFY, data=BODY, headers={"Content-Encoding": encoding})
    assert answer.status_code == 415
    assert answer.json["error"]["code"] == "unsupported_media_type"
    assert "gzip" in answer.json["error"]["message"]


def test_no_other_sites_page_may_read_an_answer_unless_it_is_named(api):
    answer = api.get("/v1/models", headers={"Origin": ORIGIN})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.fixture
def open_app(tmp_path):
    def build(origins: str):
        names = {"DATA_PATH": str(tmp_path / "data"), "AUTH_TOKEN": "a-token-for-tests", "CORS_ORIGINS": origins}
        return create_app(load_settings(names, dotenv=None)).test_client()

    return build


@pytest.mark.parametrize("origins", ["*", f"https://other.example, {ORIGIN}"])
def test_a_named_sites_page_may_call(open_app, origins):
    client = open_app(origins)
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-stainless-lang",
    }
    preflight = client.options("/v1/chat/completions", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-lang"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    refused = client.post("/v1/chat/completions", json={}, headers={"Origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "x-request-id" in refused.headers["Access-Control-Expose-Headers"]
    assert "Origin" in refused.headers["Vary"]


def test_the_pages_of_ours_are_open_to_nobody(open_app):
    assert "Access-Control-Allow-Origin" not in open_app("*").get("/login", headers={"Origin": ORIGIN}).headers


def test_an_unnamed_sites_page_may_not(open_app):
    answer = open_app("https://other.example").options("/v1/models", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origins", ["example.com", "https://example.com/path", "https://*.example.com"])
def test_what_is_no_origin_is_refused_at_start(origins):
    with pytest.raises(SettingsInvalid, match="CORS_ORIGINS"):
        load_settings({"CORS_ORIGINS": origins}, dotenv=None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/public/projects"),
        ("POST", "/api/v1/datasets/5/addDatapoint"),
        ("GET", "/v1/repositories/"),
        ("POST", "/v1/set_trace_feedback"),
        ("POST", "/v1/create_finetuning_job"),
    ],
)
def test_what_only_prems_cloud_has_is_a_json_404(api, method, path):
    answer = api.open(path, method=method, json={})
    assert answer.status_code == 404
    assert answer.json["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/models", "/v1/models/", "/v1/traces", "/v1/traces/"])
def test_no_list_is_a_redirect_to_another(api, path):
    assert api.get(path).status_code == 200
