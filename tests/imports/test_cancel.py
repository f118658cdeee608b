"""Cancelling stops an import within a second, wherever it is: each stage is held for as long as that takes."""

import threading
import time
from dataclasses import replace

import pytest
from conftest import BUSY_SECONDS
from weights.adapters import matrices, write_adapter
from weights.tiny_models import write_tiny_model

from premrunner.archives import zip_directory

from .archives_of_strangers import small_gguf, zip_with
from .large_files import large_model, sparse_gguf, stored_zip
from .workshop import Workshop

GIGABYTE = 1024**3
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def cancelled_in(workshop: Workshop, import_id: str) -> float:
    """Cancel an import that is at work, and return the seconds until it says that it has ended."""
    begun = time.monotonic()
    workshop.services.imports.cancel(import_id)
    while workshop.view(import_id).record.status == "importing":
        assert time.monotonic() < begun + 20
        time.sleep(0.005)
    return time.monotonic() - begun


def assert_cancelled_at(workshop: Workshop, import_id: str, stage: str, seconds: float) -> None:
    record = workshop.view(import_id).record
    assert (record.status, record.stage, record.can_retry) == ("cancelled", stage, True)
    assert seconds < 1 + BUSY_SECONDS
    with workshop.services.execution._tools.work.claim(import_id):  # The engine's part is taken back.
        pass
    assert [path for path in workshop.left() if not path.startswith(f"uploads/{import_id}/")] == []
    assert workshop.ollama.models == {}


@pytest.fixture
def model_zip(tmp_path):
    path = tmp_path / "model.zip"
    path.write_bytes(zip_with(("model.gguf", small_gguf(tmp_path))))
    return path


def test_the_check_of_an_archive_on_a_slow_disk(workshop, tmp_path, monkeypatch):
    path = tmp_path / "many.zip"
    path.write_bytes(zip_with(*((f"{number}.txt", b"") for number in range(1500))))
    placed = zip_directory._placed

    def slowly(file, member):
        time.sleep(0.01)
        return placed(file, member)

    monkeypatch.setattr(zip_directory, "_placed", slowly)
    import_id = workshop.bring({"many.zip": path}, "Slow disk")
    with workshop.at_work(import_id):
        workshop.wait(import_id, "check")
        seconds = cancelled_in(workshop, import_id)
    assert_cancelled_at(workshop, import_id, "check", seconds)


def test_the_unpacking_of_gigabytes(workshop, tmp_path):
    large = sparse_gguf(tmp_path / "model.gguf", 3 * GIGABYTE)
    import_id = workshop.bring({"a.zip": stored_zip(tmp_path / "a.zip", "model.gguf", large)}, "Large")
    with workshop.at_work(import_id):
        workshop.wait(import_id, "unpack")
        seconds = cancelled_in(workshop, import_id)
    assert_cancelled_at(workshop, import_id, "unpack", seconds)


def test_the_rendering_of_an_endless_template(workshop, tmp_path):
    path = sparse_gguf(tmp_path / "model.gguf", 1024 * 1024, tokenizer__chat_template=ENDLESS)
    import_id = workshop.bring({"model.gguf": path}, "Endless")
    with workshop.at_work(import_id):
        workshop.wait(import_id, "identify")
        seconds = cancelled_in(workshop, import_id)
    assert_cancelled_at(workshop, import_id, "identify", seconds)


def test_the_conversion_of_gigabytes(workshop, tmp_path):
    folder = large_model(write_tiny_model("llama", tmp_path / "model"), 4 * 1024 * 1024)
    import_id = workshop.bring({path.name: path for path in folder.iterdir()}, "Large")
    with workshop.at_work(import_id):
        workshop.wait(import_id, "convert", "every weight")
        seconds = cancelled_in(workshop, import_id)
    assert_cancelled_at(workshop, import_id, "convert", seconds)


@pytest.mark.parametrize("held", ["/api/blobs", "/api/create"])
def test_the_handing_over_to_an_engine_that_is_silent(workshop, model_zip, held):
    workshop.ollama.held.add(held)
    import_id = workshop.bring({"model.zip": model_zip}, "Silent")
    with workshop.at_work(import_id):
        workshop.wait(import_id, "create", "makes the model" if held == "/api/create" else "")
        while f"{'POST' if held == '/api/create' else 'HEAD'} {held}" not in workshop.ollama.asked:
            time.sleep(0.01)
        seconds = cancelled_in(workshop, import_id)
        workshop.ollama.held.clear()
    assert_cancelled_at(workshop, import_id, "create", seconds)


def test_the_first_answer_of_a_model_that_says_nothing(workshop, model_zip):
    workshop.ollama.held.add("/api/chat")
    import_id = workshop.bring({"model.zip": model_zip}, "Mute")
    with workshop.at_work(import_id):
        workshop.wait(import_id, "prove")
        while "POST /api/chat" not in workshop.ollama.asked:
            time.sleep(0.01)
        seconds = cancelled_in(workshop, import_id)
    assert_cancelled_at(workshop, import_id, "prove", seconds)
    assert workshop.ollama.loaded == set()


@pytest.mark.parametrize("stage", ["check", "unpack", "identify", "base", "convert", "create", "prove"])
def test_a_wish_that_comes_while_a_stage_begins_ends_the_import_in_that_stage(workshop, tmp_path, monkeypatch, stage):
    """Telling that a stage begins is held until the wish is there: so it comes in that stage for certain."""
    held, told = threading.Event(), workshop.services.execution._events.add
    reached = threading.Event()

    def hold(event):
        told(event)
        if event.stage == stage and event.status == "importing" and not event.percent and not reached.is_set():
            reached.set()
            assert held.wait(30)

    monkeypatch.setattr(workshop.services.execution._events, "add", hold)
    base = write_tiny_model("llama", tmp_path / "base")
    down, up = matrices("model.layers.0.self_attn.q_proj")
    adapter = write_adapter(
        tmp_path / "adapter",
        {
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": down,
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": up,
        },
    )
    files = {f"{folder.name}/{path.name}": path for folder in (base, adapter) for path in folder.iterdir()}
    import_id = workshop.bring(files, "Held")
    with workshop.at_work(import_id):
        assert reached.wait(30), workshop.view(import_id)
        workshop.services.imports.cancel(import_id)
        time.sleep(0.3)  # The watch has seen it.
        begun = time.monotonic()
        held.set()
        while workshop.view(import_id).record.status == "importing":
            time.sleep(0.005)
        seconds = time.monotonic() - begun
    assert_cancelled_at(workshop, import_id, stage, seconds)
    monkeypatch.undo()
    workshop.services.imports.retry(import_id)
    assert workshop.work(import_id).record.status == "ready"


def test_one_that_waits_is_cancelled_at_once_and_never_begun(workshop, model_zip):
    import_id = workshop.bring({"model.zip": model_zip}, "Waiting")
    workshop.services.imports.cancel(import_id)
    record = workshop.view(import_id).record
    assert (record.status, record.can_retry) == ("cancelled", True)
    assert workshop.work(import_id).record == replace(record)
    assert workshop.stages_told(import_id) == []
