"""What is said of a model before it is used: memory, templates, what it is made of."""

import struct

import pytest
import requests

from premrunner.domain.imports.memory_estimate import machine_memory_bytes
from premrunner.events import ImportOptions

from .archives_of_strangers import small_gguf
from .conftest import zip_of
from .large_files import sparse_gguf
from .leftovers import leftovers

pytestmark = pytest.mark.usefixtures("empty_server")

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
GIGABYTE = 1024**3


def findings_of(workshop, files, options=None) -> dict:
    import_id = workshop.bring(files, "Found", options)
    workshop.work(import_id)
    return dict(workshop.view(import_id).model.findings)


def test_a_model_larger_than_the_machines_memory_is_warned_of_before_it_is_loaded(workshop, tmp_path):
    path = sparse_gguf(tmp_path / "model.gguf", 4 * machine_memory_bytes(), tokenizer__chat_template=CHATML)
    found = findings_of(workshop, {"model.gguf": path})
    [warning] = found["warnings"]
    assert "GB of memory with 4096 tokens of context; this machine has" in warning
    assert "POST /api/chat" not in workshop.ollama.asked
    assert found["memoryBytes"] > 4 * machine_memory_bytes()


def test_the_context_counts_too(workshop, tmp_path):
    path = sparse_gguf(tmp_path / "model.gguf", 1024 * 1024, tokenizer__chat_template=CHATML)
    small = findings_of(workshop, {"model.gguf": path})
    large = findings_of(workshop, {"model.gguf": path}, ImportOptions(parameters={"num_ctx": 131072}))
    # Two layers, keys and values, 512 numbers each of two bytes: 4 kB a token.
    assert large["memoryBytes"] - small["memoryBytes"] == (131072 - 4096) * 2 * 2 * 512 * 2


@pytest.mark.parametrize(
    ("template", "words", "rendered"),
    [
        (CHATML, "", "<|im_start|>user\nHello!<|im_end|>"),
        ("", "no chat template", ""),
        ("{% for m in messages %}@{{ m.role }}: {{ m.content }}\n{% endfor %}", "no known kind", "@user: Hello!"),
        ("{% broken", "no known kind", "(The template cannot be rendered"),
    ],
)
def test_a_template_that_is_missing_or_unknown_is_a_warning_with_the_prompt_of_a_short_chat(
    workshop, tmp_path, template, words, rendered
):
    keys = {"tokenizer__chat_template": template} if template else {}
    found = findings_of(workshop, {"model.gguf": sparse_gguf(tmp_path / "model.gguf", 1024 * 1024, **keys)})
    assert [warning for warning in found["warnings"] if words in warning] or not words
    assert len(found["warnings"]) == (1 if words else 0)
    assert found.get("renderedPrompt", "").startswith(rendered)
    if template.startswith("{% for"):  # The whole conversation, to the question that is to be answered.
        assert "What is the capital of France?" in found["renderedPrompt"]


def test_a_projector_is_paired_with_its_model_and_both_reach_the_engine(workshop, tmp_path):
    model = sparse_gguf(tmp_path / "model.gguf", 1024 * 1024, tokenizer__chat_template=CHATML)
    projector = tmp_path / "anything.gguf"
    projector.write_bytes(small_gguf(tmp_path, architecture="clip", general__type="mmproj"))
    import_id = workshop.bring({"pair/model.gguf": model, "pair/anything.gguf": projector}, "Seeing")
    view = workshop.work(import_id)
    assert view.record.status == "ready", view.record
    assert view.model.findings["hasProjector"] is True
    assert view.model.findings["sizeBytes"] == model.stat().st_size + projector.stat().st_size
    files = workshop.ollama.models["seeing:latest"]["files"]
    assert sorted(files) == sorted([f"{import_id}.gguf", "mmproj.gguf"])
    assert len({*files.values()}) == len(workshop.ollama.blobs) == 2


def with_pooling(gguf: bytes) -> bytes:
    """Return a GGUF that says that it is for vectors: two more keys, of 64 bytes together, so nothing else moves."""
    [keys] = struct.unpack_from("<Q", gguf, 16)
    name = b"llama.pooling_type"
    pooling = struct.pack(f"<Q{len(name)}sII", len(name), name, 4, 1)
    rest = 64 - len(pooling)
    filler = struct.pack("<Q9sIQ", 9, b"general.x", 8, rest - 29) + b"x" * (rest - 29)
    return gguf[:16] + struct.pack("<Q", keys + 2) + pooling + filler + gguf[24:]


def test_a_model_for_vectors_is_proven_by_a_vector(imports, starter_gguf, tmp_path):
    path = tmp_path / "vectors.gguf"
    path.write_bytes(with_pooling(starter_gguf.read_bytes()))
    model_id = imports.upload(path, "Vectors")
    status = imports.wait(model_id)
    assert status["status"] == "ready", status
    assert status["found"]["isEmbedding"] is True
    assert (status["proof"]["dimensions"], status["proof"]["answer"]) == (576, "")
    assert status["proof"]["memoryBytes"] > 0
    answer = imports.server.post("/v1/embeddings", {"model": "vectors", "input": "Hello"}).json()
    assert len(answer["data"][0]["embedding"]) == 576


def test_a_model_for_vectors_is_loaded_unloaded_and_deleted_like_any_other(imports, starter_gguf, tmp_path):
    path = tmp_path / "vectors.gguf"
    path.write_bytes(with_pooling(starter_gguf.read_bytes()))
    model_id = imports.upload(path, "Vectors")
    assert imports.wait(model_id)["status"] == "ready"
    for action, is_loaded in (("down", False), ("up", True), ("down", False), ("up", True)):
        answer = imports.server.post(f"/v1/models/{action}", {"model": "vectors"})
        assert answer.status_code == 200, answer.text
        assert imports.server.get("/v1/models/running?model=vectors").json() == {"status": is_loaded}
    imports.delete(model_id)
    assert leftovers(imports.server.data_path) == []


def test_a_projector_that_the_engine_cannot_use_fails_the_import_in_plain_words(imports, starter_gguf, tmp_path):
    projector = tmp_path / "mmproj.gguf"
    projector.write_bytes(small_gguf(tmp_path, architecture="clip", general__type="mmproj"))
    path = zip_of(tmp_path / "pair.zip", {"model.gguf": starter_gguf, "mmproj.gguf": projector})
    model_id = imports.upload(path, "Half blind")
    status = imports.wait(model_id)
    assert (status["status"], status["stage"], status["found"]["hasProjector"]) == ("failed", "prove", True)
    assert "engine could not run the model" in status["error"]["message"]
    imports.delete(model_id)
    assert requests.get(imports.server.url + "/health", timeout=5).ok
