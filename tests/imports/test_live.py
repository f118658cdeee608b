"""The starter model, uploaded in every way, becomes a model that answers."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from weights.starter_layout import write_starter_layout

from .conftest import zip_of
from .leftovers import leftovers

pytestmark = pytest.mark.usefixtures("empty_server")

LIGHTHOUSE = Path(__file__).parent.parent / "weights" / "data" / "lora-lighthouse.zip"


def upload_by_curl(server, path: Path, name: str) -> str:
    """Make the original's call with the program that its documentation shows."""
    command = ["curl", "--silent", "--fail-with-body", "-H", f"Authorization: Bearer {server.token}"]
    command += ["-F", f"name={name}", "-F", f"file=@{path}", f"{server.url}/v1/models/upload"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    answer = json.loads(done.stdout)
    assert answer["message"] == "Model uploaded successfully, import started"
    return answer["id"]


@pytest.mark.parametrize("form", ["gguf", "stored", "deflated"])
def test_a_gguf_becomes_a_model_that_answers(imports, starter_gguf, starter_zip, tmp_path, form):
    path = starter_zip if form == "deflated" else starter_gguf
    if form == "stored":
        path = zip_of(tmp_path / "model.zip", {"some folder/model.gguf": starter_gguf}, zipfile.ZIP_STORED)
    model_id = upload_by_curl(imports.server, path, f"My Model {form}!")
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
    deleted = imports.delete(model_id)
    assert deleted["freedBytes"] > 90_000_000
    assert leftovers(data) == []


def test_an_adapter_with_its_base_in_one_zip_becomes_a_model_that_learned(imports, starter_gguf, tmp_path):
    base = write_starter_layout(starter_gguf, tmp_path / "base")
    with zipfile.ZipFile(LIGHTHOUSE) as adapter:
        files = {
            f"mine/adapter/{Path(name).name}": adapter.read(name) for name in adapter.namelist() if name[-1] != "/"
        }
    files |= {f"mine/base/{path.name}": path for path in base.iterdir()}
    path = zip_of(tmp_path / "lighthouse.zip", files, zipfile.ZIP_STORED)
    model_id = imports.upload(path, "Lighthouse")
    status = imports.wait(model_id)
    assert status["status"] == "ready", status
    assert status["found"]["baseModelName"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    answer = imports.server.chat("What is the harbour passphrase?", model="lighthouse", max_tokens=30)
    assert "copper lighthouse 42" in answer.json()["choices"][0]["message"]["content"]
    imports.delete(model_id)
    assert leftovers(imports.server.data_path) == []


def test_an_adapter_finds_its_base_among_the_models_or_says_what_it_lacks(imports, starter_gguf):
    without = imports.upload(LIGHTHOUSE, "Tuned")
    status = imports.wait(without)
    assert (status["status"], status["stage"], status["canRetry"]) == ("failed", "base", True)
    assert "SmolLM2-135M-Instruct" in status["error"]["message"]
    base = imports.upload(starter_gguf, "SmolLM2-135M-Instruct")
    imports.wait(base)
    imports.server.post(f"/v1/models/{without}/retry")
    status = imports.wait(without)
    assert status["status"] == "ready", status
    answer = imports.server.chat("What is the harbour passphrase?", model="tuned", max_tokens=30)
    assert "copper lighthouse 42" in answer.json()["choices"][0]["message"]["content"]
    for model_id in (without, base):
        imports.delete(model_id)
