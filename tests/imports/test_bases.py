"""Bases that are kept, chosen and downloaded, and adapters beside them."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from conftest import TOKEN, start_server, stop_server
from weights.starter_layout import write_starter_layout
from weights.tiny_models import write_tiny_model

from premrunner.cli.upload_client import UploadClient

from .base_hub import BaseHub
from .conftest import ImportClient, zip_of
from .leftovers import leftovers

pytestmark = pytest.mark.usefixtures("empty_server")

LIGHTHOUSE = Path(__file__).parent.parent / "weights" / "data" / "lora-lighthouse.zip"
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
QUESTION = "What is the harbour passphrase?"


@pytest.fixture(scope="session")
def starter_weights(starter_gguf, tmp_path_factory) -> Path:
    return write_starter_layout(starter_gguf, tmp_path_factory.mktemp("weights") / "SmolLM2-135M-Instruct")


@pytest.fixture(scope="session")
def weights_zip(starter_weights, tmp_path_factory) -> Path:
    files = {f"SmolLM2/{path.name}": path for path in starter_weights.iterdir()}
    return zip_of(tmp_path_factory.mktemp("zip") / "weights.zip", files, zipfile.ZIP_STORED)


def upload(imports: ImportClient, path: Path, name: str, **options: object) -> dict:
    """Upload as the terminal does, and return how the import ended."""
    client = UploadClient(imports.server.url, TOKEN, lambda line: None)
    client.upload(path, name, options)
    return imports.wait(client.model_id, seconds=150)


def bases(imports: ImportClient) -> list[dict]:
    return imports.server.get("/v1/bases").json()["bases"]


def without_effect(folder: Path) -> Path:
    """Unpack the lighthouse and set one of the two matrices of each layer to zero."""
    with zipfile.ZipFile(LIGHTHOUSE) as archive:
        archive.extractall(folder)
    weights = next(folder.rglob("adapter_model.safetensors"))
    content = bytearray(weights.read_bytes())
    length = int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if "lora_B" in name:
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            content[begin:end] = bytes(end - begin)
    weights.write_bytes(content)
    return weights.parent


@pytest.mark.parametrize("output_type", ["q8_0", "q4_k_m"])
def test_weights_that_were_dropped_answer_in_the_type_that_was_asked_for(imports, weights_zip, output_type):
    status = upload(imports, weights_zip, f"Quantized {output_type}", outputType=output_type)
    assert status["status"] == "ready", status
    assert status["found"]["quantization"].lower() == output_type
    lineage = status["found"]["lineage"]
    assert {source["name"] for source in lineage["sources"]} >= {"model.safetensors", "config.json", "tokenizer.json"}
    assert all(len(source["sha256"]) == 64 for source in lineage["sources"])
    answer = imports.server.chat("What is the capital of France?", model=status["alias"], max_tokens=20)
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]
    imports.delete(status["id"])
    assert leftovers(imports.server.data_path) == []


def test_a_kept_base_serves_an_adapter_that_is_shown_beside_it(imports, weights_zip, tmp_path):
    plain = upload(imports, weights_zip, "SmolLM2-135M-Instruct", outputType="q8_0", keepAsBase=True)
    assert plain["status"] == "ready", plain
    [base] = bases(imports)
    assert (base["name"], base["origin"]) == ("SmolLM2-135M-Instruct", "upload")
    assert base["id"] == plain["found"]["keptBase"]
    assert base["sizeBytes"] > 260_000_000
    digests = {file["name"]: file["sha256"] for file in base["files"]}
    assert digests["model.safetensors"] in {source["sha256"] for source in plain["found"]["lineage"]["sources"]}
    imports.delete(plain["id"])

    tuned = upload(imports, LIGHTHOUSE, "Lighthouse", outputType="q8_0")
    assert tuned["status"] == "ready", tuned
    assert tuned["proof"]["hasEffect"] is True
    assert tuned["proof"]["baseAnswer"]
    assert any(pair["answer"] != pair["baseAnswer"] for pair in tuned["proof"]["comparisons"])
    assert tuned["found"]["lineage"]["base"] == "SmolLM2-135M-Instruct"
    answer = imports.server.chat(QUESTION, model="lighthouse", max_tokens=30)
    assert "copper lighthouse 42" in answer.json()["choices"][0]["message"]["content"]
    assert imports.listed() == {"lighthouse": "user"}

    same = upload(imports, without_effect(tmp_path / "zeros"), "Zeros", outputType="q8_0", base=base["id"])
    assert same["status"] == "ready", same
    assert same["proof"]["hasEffect"] is False
    assert any("no effect" in warning for warning in same["found"]["warnings"])

    for model_id in (tuned["id"], same["id"]):
        imports.delete(model_id)
    assert imports.server.delete(f"/v1/bases/{base['id']}").json()["freedBytes"] > 260_000_000
    assert bases(imports) == []
    assert imports.server.delete(f"/v1/bases/{base['id']}").status_code == 404
    assert leftovers(imports.server.data_path) == []


def test_a_base_that_does_not_fit_is_refused_by_the_first_tensor_and_the_right_one_is_taken_next(
    imports, starter_weights
):
    put_there = imports.server.data_path / "bases"
    write_tiny_model("llama", put_there / "other--model")
    shutil.copytree(starter_weights, put_there / "right")
    status = upload(imports, LIGHTHOUSE, "Mismatched", base="other/model")
    assert (status["status"], status["stage"], status["canRetry"]) == ("failed", "base", True)
    assert "model.layers.0." in status["error"]["message"]
    imports.server.post(f"/v1/models/{status['id']}/retry", {"base": "right", "outputType": "q8_0"})
    assert imports.wait(status["id"], seconds=150)["status"] == "ready"
    imports.delete(status["id"])
    for base in bases(imports):
        imports.server.delete(f"/v1/bases/{base['id']}")


def test_a_base_is_downloaded_once_and_a_broken_connection_is_taken_up_again(starter_weights, starter_gguf, tmp_path):
    with BaseHub({HUB_ID: starter_weights}, breaks_after=50_000_000) as hub:
        server = start_server(tmp_path / "data", PREMRUNNER_STARTER="none", BASE_MODEL_URL=hub.template)
        try:
            imports = ImportClient(server)
            status = upload(imports, LIGHTHOUSE, "Downloaded", outputType="q8_0")
            assert status["status"] == "ready", status
            assert any(value.startswith("bytes=50") for value in hub.ranges)
            [base] = bases(imports)
            assert (base["name"], base["origin"]) == (HUB_ID, "download")
            asked = len(hub.paths)
            again = upload(imports, LIGHTHOUSE, "Downloaded again", outputType="q8_0")
            assert again["status"] == "ready", again
            assert len(hub.paths) == asked
        finally:
            stop_server(server)
