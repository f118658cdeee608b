"""Blobs, models and what is loaded, as any engine must handle them."""

import json
import time
from datetime import datetime, timezone

import pytest
from builtin.running import CAPITAL, eventually

from contract.conftest import MODEL

ZEROS = "sha256:" + "0" * 64


@pytest.fixture
def pirate(engine):
    """A model made from `MODEL` with a system prompt and parameters."""
    name = "premrunner-contract-pirate"
    parameters = {"temperature": 0.2, "num_ctx": 2048, "stop": ["<|im_end|>"]}
    engine.create(name, **{"from": MODEL}, system="You are a pirate.", parameters=parameters)
    yield name
    engine.delete(name)


def test_the_root_and_the_version_answer(blank_engine):
    root = blank_engine.get("/")
    assert root.text == "Ollama is running"
    assert root.headers["Content-Type"] == "text/plain; charset=utf-8"
    version = blank_engine.get("/api/version").json()["version"]
    assert version.split(".")[0].isdigit()


@pytest.mark.parametrize("path", ["/", "/api/version", "/api/tags"])
def test_head_is_answered_as_get_is(blank_engine, path):
    response = blank_engine.session.head(blank_engine.url + path, timeout=10)
    assert response.status_code == 200
    assert response.content == b""


def test_unknown_paths_wrong_verbs_and_strangers_are_told_apart(blank_engine):
    unknown = blank_engine.get("/api/nothing")
    assert (unknown.status_code, unknown.text) == (404, "404 page not found")
    wrong_verb = blank_engine.get("/api/chat")
    assert (wrong_verb.status_code, wrong_verb.text) == (405, "405 method not allowed")
    assert "POST" in wrong_verb.headers["Allow"]
    foreign = blank_engine.get("/api/tags", headers={"Origin": "http://evil.example"})
    assert (foreign.status_code, foreign.text) == (403, "")
    rebound = blank_engine.get("/api/tags", headers={"Host": "evil.example"})
    assert (rebound.status_code, rebound.text) == (403, "")
    assert blank_engine.get("/api/tags", headers={"Origin": "http://localhost:3001"}).status_code == 200


def test_a_blob_is_known_by_its_digest(blank_engine, digest):
    def head(name: str) -> int:
        return blank_engine.session.head(f"{blank_engine.url}/api/blobs/{name}", timeout=10).status_code

    assert head(digest) == 200
    assert head(digest.replace(":", "-")) == 200
    assert head(ZEROS) == 404
    assert head("sha256:xyz") == 400


def test_a_blob_that_is_there_is_not_sent_again(blank_engine, digest):
    response = blank_engine.session.post(f"{blank_engine.url}/api/blobs/{digest}", data=b"", timeout=10)
    assert response.status_code == 200
    assert response.content == b""


def test_content_that_does_not_match_its_digest_is_refused_and_both_are_named(blank_engine):
    response = blank_engine.session.post(f"{blank_engine.url}/api/blobs/{ZEROS}", data=b"hello", timeout=10)
    hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert response.status_code == 400
    assert response.json()["error"] == f'digest mismatch, expected "{ZEROS}", got "{hello}"'


def test_a_malformed_digest_is_refused(blank_engine):
    response = blank_engine.session.post(f"{blank_engine.url}/api/blobs/md5:abc", data=b"hello", timeout=10)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid digest format"


def test_creation_tells_its_steps_and_ends_with_success(engine, digest):
    lines = engine.lines("/api/create", {"model": "premrunner-contract-new", "files": {"a.gguf": digest}})
    statuses = [line["status"] for line in lines]
    assert statuses[0] == "parsing GGUF"
    assert any(status.startswith(("using existing layer sha256:", "creating new layer sha256:")) for status in statuses)
    assert "using autodetected template chatml" in statuses
    assert statuses[-2:] == ["writing manifest", "success"]
    assert engine.delete("premrunner-contract-new").status_code == 200


@pytest.mark.parametrize(
    ("content", "file_name", "text"),
    [
        (b"this is not a gguf, however long it may be", "a.gguf", "supplied file was not in GGUF format"),
        (b"GGUF" + b"\xff" * 60, "a.gguf", "GGUF"),
        (b"GGUF\x03\x00\x00\x00", "a.gguf", "EOF"),
    ],
)
def test_what_is_no_gguf_makes_no_model(engine, content, file_name, text):
    body = {"model": "premrunner-contract-x", "files": {file_name: engine.push_bytes(content)}}
    first, last = engine.lines("/api/create", body)
    assert first == {"status": "parsing GGUF"}
    assert text in last["error"]
    assert engine.post("/api/create", {**body, "stream": False}).status_code in {400, 500}
    assert engine.post("/api/show", {"model": "premrunner-contract-x"}).status_code == 404


def test_a_truncated_gguf_names_the_first_tensor_that_is_cut(engine, starter_gguf):
    with starter_gguf.open("rb") as file:
        digest = engine.push_bytes(file.read(3_000_000))
    response = engine.post("/api/create", {"model": "x", "files": {"a.gguf": digest}, "stream": False})
    assert response.status_code == 500
    assert "exceeds file size (3000000)" in response.json()["error"]


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"model": "bad name!!", "from": MODEL}, 400, "invalid model name"),
        ({}, 400, "neither 'from' or 'files' was specified"),
        ({"files": {}}, 400, "unknown type"),
        ({"files": {"../a.gguf": ZEROS}}, 400, "file path must be relative"),
        ({"files": {"/a.gguf": ZEROS}}, 400, "file path must be relative"),
        ({"files": {"a.gguf": ""}}, 400, "invalid digest format"),
        ({"files": {"a.gguf": ZEROS}}, 500, "no such file or directory"),
    ],
)
def test_a_wrong_creation_is_refused_in_ollamas_words(engine, fields, status, text):
    response = engine.post("/api/create", {"model": "premrunner-contract-x", "stream": False, **fields})
    assert response.status_code == status
    assert text in response.json()["error"]


def test_a_model_is_listed_with_its_facts(engine):
    (listed,) = [model for model in engine.get("/api/tags").json()["models"] if model["name"] == MODEL]
    assert listed["model"] == MODEL
    assert 98_000_000 < listed["size"] < 99_000_000
    assert len(listed["digest"]) == 64
    assert datetime.fromisoformat(listed["modified_at"][:19])
    details = listed["details"]
    assert details["format"] == "gguf"
    assert details["family"] == "llama"
    assert details["families"] == ["llama"]
    assert details["parameter_size"] == "134.52M"
    assert details["quantization_level"] == "Q4_1"


def test_show_tells_what_a_model_is_made_of(engine, pirate):
    shown = engine.post("/api/show", {"model": pirate}).json()
    assert shown["system"] == "You are a pirate."
    assert "<|im_start|>" in shown["template"]
    parameters = {tuple(line.split(maxsplit=1)) for line in shown["parameters"].splitlines()}
    assert parameters == {("temperature", "0.2"), ("num_ctx", "2048"), ("stop", '"<|im_end|>"')}
    assert shown["details"]["parent_model"] == MODEL
    assert shown["capabilities"] == ["completion"]
    assert shown["model_info"]["general.architecture"] == "llama"
    assert shown["model_info"]["llama.context_length"] == 8192
    assert shown["model_info"]["general.parameter_count"] == 134515008
    assert shown["model_info"]["tokenizer.ggml.tokens"] in (None, [])
    assert {"name": "output_norm.weight", "type": "F32", "shape": [576]} in shown["tensors"]
    assert "PARAMETER num_ctx 2048" in shown["modelfile"]


def test_a_models_own_system_prompt_and_parameters_hold_in_every_chat(engine, pirate):
    answer = engine.chat(pirate, options={"num_predict": 4})
    assert answer["prompt_eval_count"] > 16
    assert engine.loaded()[pirate + ":latest" if ":" not in pirate else pirate]["context_length"] == 2048


def test_show_of_an_unknown_model_names_it_in_full(engine):
    response = engine.post("/api/show", {"model": "nope"})
    assert response.status_code == 404
    assert response.json()["error"] == "model 'nope:latest' not found"
    assert engine.post("/api/show", {"model": ""}).json()["error"] == "model is required"


def test_names_are_found_in_any_case(engine):
    assert engine.post("/api/show", {"model": MODEL.upper()}).status_code == 200


def test_a_copy_is_a_model_and_goes_alone(engine, pirate):
    assert engine.post("/api/copy", {"source": pirate, "destination": "premrunner-contract-copy"}).status_code == 200
    shown = engine.post("/api/show", {"model": "premrunner-contract-copy"}).json()
    assert shown["system"] == "You are a pirate."
    assert engine.delete("premrunner-contract-copy").status_code == 200
    assert engine.delete("premrunner-contract-copy").status_code == 404
    assert engine.post("/api/show", {"model": pirate}).status_code == 200


@pytest.mark.parametrize(
    ("source", "destination", "status", "text"),
    [
        ("nope", "x", 404, 'model "nope" not found'),
        ("", "x", 400, 'source "" is invalid'),
        (MODEL, "a b", 400, 'destination "a b" is invalid'),
    ],
)
def test_a_wrong_copy_is_refused_in_ollamas_words(engine, source, destination, status, text):
    response = engine.post("/api/copy", {"source": source, "destination": destination})
    assert response.status_code == status
    assert response.json()["error"] == text


@pytest.mark.parametrize(
    ("model", "status", "text"),
    [
        ("", 400, "model is required"),
        ("has space", 400, 'name "has space" is invalid'),
        ("nope", 404, "model 'nope' not found"),
    ],
)
def test_a_wrong_deletion_is_refused_in_ollamas_words(engine, model, status, text):
    response = engine.delete(model)
    assert response.status_code == status
    assert response.json()["error"] == text


def test_pulling_without_a_registry_is_an_error_and_never_success(engine):
    response = engine.post("/api/pull", {"model": "premrunner-no-such-model-anywhere"})
    last = json.loads(response.text.strip().splitlines()[-1])
    assert last["error"]
    assert engine.post("/api/pull", {"model": "bad name!!"}).json()["error"] == "invalid model name"


def test_an_empty_chat_loads_and_keep_alive_0_unloads(engine):
    loaded = engine.post("/api/chat", {"model": MODEL, "messages": [], "keep_alive": "10m"}).json()
    assert (loaded["done"], loaded["done_reason"]) == (True, "load")
    assert loaded["message"] == {"role": "assistant", "content": ""}
    running = engine.loaded()[MODEL]
    assert running["context_length"] > 0
    assert running["size"] > 98_000_000
    left = datetime.fromisoformat(running["expires_at"][:19]).replace(tzinfo=timezone.utc) - datetime.now(timezone.utc)
    assert 500 < left.total_seconds() < 610
    unloaded = engine.post("/api/generate", {"model": MODEL, "keep_alive": 0}).json()
    assert (unloaded["response"], unloaded["done_reason"]) == ("", "unload")
    eventually(lambda: MODEL not in engine.loaded())
    again = engine.post("/api/generate", {"model": MODEL, "keep_alive": 0})
    assert (again.status_code, again.json()["done_reason"]) == (200, "unload")


def test_a_negative_keep_alive_is_for_ever(engine):
    engine.post("/api/generate", {"model": MODEL, "keep_alive": -1})
    assert int(engine.loaded()[MODEL]["expires_at"][:4]) > 2200
    engine.post("/api/generate", {"model": MODEL, "keep_alive": "5m"})


def test_a_model_leaves_when_its_keep_alive_ends(engine):
    engine.chat(MODEL, options={"num_predict": 1}, keep_alive="500ms")
    assert MODEL in engine.loaded()
    assert eventually(lambda: MODEL not in engine.loaded()) < 3


def test_num_ctx_decides_the_context(engine):
    engine.chat(MODEL, options={"num_predict": 1, "num_ctx": 1024})
    assert engine.loaded()[MODEL]["context_length"] == 1024
    engine.chat(MODEL, options={"num_predict": 1})
    assert engine.loaded()[MODEL]["context_length"] != 1024


def test_a_client_that_leaves_frees_its_slot_at_once(engine):
    engine.chat(MODEL)  # Loaded, so that only the slot can hold the second chat up.
    body = {"model": MODEL, "messages": CAPITAL, "options": {"num_predict": 4000, "temperature": 0}, "format": FOREVER}
    response = engine.post("/api/chat", body, stream=True)
    next(response.iter_lines())
    response.close()
    started_at = time.monotonic()
    assert engine.chat(MODEL)["message"]["content"] == "The capital of France is Paris."
    assert time.monotonic() - started_at < 10


# A shape that never ends, so that only the client's leaving can end it.
FOREVER = {"type": "array", "items": {"type": "string", "minLength": 20}, "minItems": 500}
