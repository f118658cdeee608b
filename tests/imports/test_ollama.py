"""Imports into an Ollama as it was recorded: what it is sent, what it is not, and what it is asked to make of it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gguf
import pytest

from premrunner.events import ImportOptions
from tests.engine_of_tests import found_running

from .archives_of_strangers import small_gguf, zip_with
from .large_files import sparse_gguf
from .recorded_ollama import recorded_ollama
from .workshop import Workshop

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
LAST = ["general.quantization_version", "general.file_type"]


@pytest.fixture
def model(tmp_path) -> Path:
    """A GGUF that Ollama keeps as it is."""
    return sparse_gguf(tmp_path / "model.gguf", 40 * 1024 * 1024, tokenizer__chat_template=CHATML)


def keys_of(file: gguf.GGUFReader) -> list[str]:
    return [name for name in file.fields if not name.startswith("GGUF.")]


def created(workshop: Workshop, name: str) -> dict:
    return workshop.ollama.models[f"{name}:latest"]


def test_a_blob_is_sent_with_progress_and_made_a_model_that_answers(workshop, model):
    import_id = workshop.bring({"model.gguf": model}, "Sent")
    view = workshop.work(import_id)
    assert view.record.status == "ready", view.record
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert workshop.ollama.blobs == {digest: model.stat().st_size}
    assert created(workshop, "sent")["files"] == {f"{import_id}.gguf": f"sha256:{digest}"}
    moving = [event for event in view.events if event.stage == "create" and event.total_bytes]
    assert moving[-1].done_bytes == moving[-1].total_bytes == model.stat().st_size
    assert view.model.proof["answer"].startswith("The capital of France")
    assert view.model.proof["tokensPerSecond"] > 0
    assert view.model.proof["memoryBytes"] == 210690374  # As Ollama says in /api/ps.
    assert workshop.left() == []


def test_a_blob_that_the_engine_has_is_not_sent_again(workshop, model):
    for name in ("First", "Second"):
        import_id = workshop.bring({"model.gguf": model}, name)
        assert workshop.work(import_id).record.status == "ready"
    assert workshop.ollama.asked.count("HEAD /api/blobs") >= 2
    assert workshop.ollama.asked.count("POST /api/blobs") == 1
    assert set(workshop.ollama.models) == {"first:latest", "second:latest"}


@pytest.mark.parametrize("form", ["plain", "stored"])
def test_keys_are_put_in_the_order_in_which_ollama_keeps_a_file(workshop, starter_gguf, tmp_path, form):
    theirs, path = gguf.GGUFReader(starter_gguf), starter_gguf
    assert keys_of(theirs)[-2:] != LAST
    if form == "stored":
        path = tmp_path / "a.zip"
        path.write_bytes(zip_with(("model.gguf", starter_gguf.read_bytes())))
    import_id = workshop.bring({path.name: path}, "Ordered")
    assert workshop.work(import_id).record.status == "ready"
    [blob] = workshop.ollama.folder.iterdir()
    ours = gguf.GGUFReader(blob)
    assert keys_of(ours)[-2:] == LAST
    assert {tensor.name: tensor.data.tobytes() for tensor in ours.tensors} == {
        tensor.name: tensor.data.tobytes() for tensor in theirs.tensors
    }


@pytest.fixture
def served_store(app, tmp_path) -> Iterator[Workshop]:
    """An Ollama that ``serve`` started with its models in the data folder: its environment says so."""
    blobs = Path(app.config["DATA_PATH"]) / "engine" / "models" / "blobs"
    blobs.mkdir(parents=True)
    environment = {**os.environ, "OLLAMA_MODELS": str(blobs.parent)}
    process = subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE)
    with process, recorded_ollama(blobs) as ollama, found_running(app, ollama.port, pid=process.pid):
        yield Workshop(app, ollama)
        process.communicate()


def test_a_store_that_is_provably_ours_gets_a_link_and_no_second_copy(served_store, model):
    import_id = served_store.bring({"model.gguf": model}, "Linked")
    inode = model.stat().st_ino
    assert served_store.work(import_id).record.status == "ready"
    assert "POST /api/blobs" not in served_store.ollama.asked
    [blob] = served_store.ollama.folder.iterdir()
    assert blob.stat().st_ino == inode


def test_a_store_elsewhere_is_never_touched(app, model, tmp_path):
    """An Ollama of somebody else's, whose folder is known and could even be written."""
    blobs = tmp_path / "theirs" / "blobs"
    blobs.mkdir(parents=True)
    environment = {**os.environ, "OLLAMA_MODELS": str(blobs.parent)}
    process = subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE)
    with process, recorded_ollama() as ollama, found_running(app, ollama.port, pid=process.pid):
        workshop = Workshop(app, ollama)
        assert workshop.work(workshop.bring({"model.gguf": model}, "Theirs")).record.status == "ready"
        process.communicate()
    assert ollama.asked.count("POST /api/blobs") == 1
    assert list(blobs.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "status", "body", "words"),
    [
        ("/api/blobs", 500, '{"error":"write /models/blobs/sha256-1: no space left on device"}', "space"),
        ("/api/blobs", 400, '{"error":"digest mismatch, expected \\"sha256:1\\", got \\"sha256:2\\""}', "digest"),
        ("/api/create", 200, '{"status":"parsing GGUF"}\n{"error":"GGUF string length 1 exceeds maximum"}', "GGUF"),
        ("/api/create", 200, '{"status":"parsing GGUF"}\n', "stopped before it had finished"),
        (
            "/api/chat",
            500,
            '{"error":"llama runner has terminated: unknown model architecture"}',
            "architecture",
        ),
    ],
)
def test_what_the_engine_refuses_is_said_in_plain_words_and_nothing_stays(workshop, model, path, status, body, words):
    workshop.ollama.refuses[path] = (status, body)
    import_id = workshop.bring({"model.gguf": model}, "Refused")
    record = workshop.work(import_id).record
    assert (record.status, record.can_retry) == ("failed", True)
    assert words.lower() in record.error.lower()
    assert "/models/" not in record.error
    assert record.hint
    assert workshop.ollama.models == {}
    workshop.ollama.refuses.clear()
    workshop.services.imports.retry(import_id)
    assert workshop.work(import_id).record.status == "ready"
    assert workshop.left() == []


def test_options_reach_the_engine(workshop, model):
    options = ImportOptions(system="Be brief.", parameters={"num_ctx": 2048, "stop": ["END"]})
    import_id = workshop.bring({"model.gguf": model}, "Optional", options)
    assert workshop.work(import_id).record.status == "ready"
    made = created(workshop, "optional")
    assert (made["system"], made["parameters"]) == ("Be brief.", {"num_ctx": 2048, "stop": ["END"]})
    assert "template" not in made


def test_a_template_of_the_owners_stands_in_the_gguf_for_an_engine_that_runs_jinja(workshop, model):
    options = ImportOptions(template=CHATML.replace("assistant", "helper"))
    import_id = workshop.bring({"model.gguf": model}, "Templated", options)
    assert workshop.work(import_id).record.status == "ready"
    [blob] = workshop.ollama.folder.iterdir()
    assert gguf.GGUFReader(blob).get_field("tokenizer.chat_template").contents() == options.template


def test_an_engine_without_jinja_is_given_the_known_equivalent(app, ollama, model):
    with found_running(app, ollama.port, version="0.12.4"):
        workshop = Workshop(app, ollama)
        assert workshop.work(workshop.bring({"model.gguf": model}, "Old")).record.status == "ready"
    made = created(workshop, "old")
    assert "<|im_start|>{{ .Role }}" in made["template"]
    assert made["parameters"]["stop"] == ["<|im_start|>", "<|im_end|>"]


def test_an_answer_that_ends_with_the_frame_of_the_chat_gets_a_stop_and_is_asked_again(workshop, model):
    workshop.ollama.says = "Hello!<|im_end|>"
    import_id = workshop.bring({"model.gguf": model}, "Framed")
    record = workshop.work(import_id).record
    assert created_once_more(workshop) == ["<|im_end|>"]
    assert record.status == "failed"
    assert "frame of the chat" in record.error  # Because this engine goes on saying it.


def created_once_more(workshop: Workshop) -> list[str]:
    assert len(workshop.ollama.chats) == 2
    model = workshop.services.execution._tools.models.all()[0]
    return model.options["parameters"]["stop"]


def test_deleting_unloads_first_and_says_what_came_back(workshop, model):
    import_id = workshop.bring({"model.gguf": model}, "Leaving")
    workshop.work(import_id)
    assert workshop.ollama.loaded
    deletion = workshop.services.model_changes.delete(import_id)
    assert deletion.freed_bytes > 0
    assert (workshop.ollama.models, workshop.ollama.loaded) == ({}, set())
    unloaded, deleted = (workshop.ollama.asked.index(call) for call in ("POST /api/generate", "DELETE /api/delete"))
    assert unloaded < deleted


def test_a_broken_gguf_never_reaches_the_engine(workshop, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(small_gguf(tmp_path)[:-40])
    record = workshop.work(workshop.bring({"model.gguf": path}, "Broken")).record
    assert "broken GGUF" in record.error
    assert not [call for call in workshop.ollama.asked if call.startswith("POST")]
