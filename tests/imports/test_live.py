"""The starter model, uploaded in every way, becomes a model that answers."""

import zipfile

import pytest

from .conftest import leftovers, zip_of


@pytest.mark.parametrize("form", ["gguf", "stored", "deflated"])
def test_a_gguf_becomes_a_model_that_answers(imports, starter_gguf, tmp_path, form):
    path = starter_gguf
    if form != "gguf":
        method = zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED
        path = zip_of(tmp_path / "model.zip", {"some folder/model.gguf": starter_gguf}, method)
    model_id = imports.upload(path, f"My Model {form}!")
    status = imports.wait(model_id)
    assert status["status"] == "ready", status
    assert status["imported"] is True
    assert status["alias"] == f"my-model-{form}-"
    assert status["found"]["architecture"] == "llama"
    assert status["proof"]["answer"]
    answer = imports.server.chat("What is the capital of France?", model=status["alias"], max_tokens=20)
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]
    data = imports.server.data_path
    assert [path for path in leftovers(data) if not path.startswith("engine")] == []
    deleted = imports.delete(model_id).json()
    assert deleted["freedBytes"] > 90_000_000
    assert leftovers(data) == []
