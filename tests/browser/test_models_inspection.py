"""The browser looks into files as the server would, before a byte of them is sent."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from imports.archives_of_strangers import CASES, small_gguf, zip_with
from weights.safetensors_file import write_safetensors
from weights.tiny_models import TINY_MODELS, random_values, write_tiny_model

from premrunner.weights.gguf_parser import read_header
from premrunner.weights.inspection import inspect

# More than the header of the starter model, whose vocabulary is most of it.
HEADER_BYTES = 8 * 1024 * 1024
LIGHTHOUSE = Path(__file__).parent.parent / "weights" / "data" / "lora-lighthouse.zip"
# The files come from the disk, through a field: as text over the test's wire, large ones take minutes.
FIELD = "<input type=file multiple id=strangers hidden>"
INSPECT = """async ([paths, padding, version, terms]) => {
  const js = (name) => import(`/assets/${version}/js/${name}`);
  const [{ inspect }, { Refusal }, { fetchTerms }] = await Promise.all(
    [js("inspect/inspect.js"), js("inspect/refusal.js"), js("models/terms.js")]);
  const chosen = [...document.querySelector("#strangers").files];
  const picked = paths.map((path, number) =>
    ({ path, file: new File([chosen[number], new Uint8Array(padding)], path.split("/").at(-1)) }));
  try {
    const { sources, tensors, files, ...found } = await inspect(picked, { ...(await fetchTerms()), ...terms });
    return { ...found, sent: files.map(({ path }) => path) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { refused: error.message, hint: error.hint };
  }
}"""


@pytest.fixture(scope="module")
def look(chromium, empty_server, tmp_path_factory):
    """Inspect files in a browser; returns the findings, or why they are refused."""
    page = chromium.new_page()
    page.goto(f"{empty_server.url}/login?token={empty_server.token}")
    page.goto(f"{empty_server.url}/models")
    version = page.locator("link[rel=stylesheet]").get_attribute("href").split("/")[2]

    page.evaluate("field => document.body.insertAdjacentHTML('beforeend', field)", FIELD)
    folder = tmp_path_factory.mktemp("chosen")

    def look_into(files: dict[str, bytes], padding: int = 0, **terms) -> dict:
        places = [folder / str(number) for number in range(len(files))]
        for place, content in zip(places, files.values(), strict=True):
            place.write_bytes(content)
        page.set_input_files("#strangers", places)
        return page.evaluate(INSPECT, [list(files), padding, version, terms])

    yield look_into
    page.close()


def folder_of(path: Path, name: str = "model") -> dict[str, bytes]:
    return {f"{name}/{file.relative_to(path)}": file.read_bytes() for file in path.rglob("*") if file.is_file()}


def zipped(files: dict[str, bytes], method: int) -> dict[str, bytes]:
    return {"model.zip": zip_with(*files.items(), method=method)}


def tarred(files: dict[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return write_tiny_model("llama", tmp_path / "llama", shard_count=2)


@pytest.mark.parametrize("kind", TINY_MODELS)
def test_every_family_is_seen_as_the_server_sees_it(look, tmp_path, kind):
    folder = write_tiny_model(kind, tmp_path / kind)
    server = inspect(folder)

    found = look(folder_of(folder))

    assert found.get("refused") is None, found
    assert found["architecture"] == server.architecture
    assert found["storedAs"] == server.stored_as
    assert found["contextLength"] == server.context_length
    # The server leaves out what the engine has no use for, and adds tables of its own.
    assert found["parameterCount"] == pytest.approx(server.parameter_count, rel=0.1)


@pytest.mark.parametrize(
    "pack",
    [
        lambda files: zipped(files, zipfile.ZIP_STORED),
        lambda files: zipped(files, zipfile.ZIP_DEFLATED),
        lambda files: {"model.tar": tarred(files, "w")},
        lambda files: {"model.tar.gz": tarred(files, "w:gz")},
    ],
    ids=["stored", "deflated", "tar", "packed tar"],
)
def test_an_archive_is_looked_into_as_the_folder_is(look, llama, pack):
    plain, packed = look(folder_of(llama)), look(pack(folder_of(llama)))
    for name in ("kind", "architecture", "parameterCount", "storedAs", "contextLength", "weightBytes"):
        assert packed[name] == plain[name], name
    assert len(packed["sent"]) == 1


def test_a_ggufs_header_is_read(look, starter_gguf, tmp_path):
    server = read_header(starter_gguf)
    # The tensors' values are not looked at: zeros in their place do as well.
    content, padding = starter_gguf.read_bytes()[:HEADER_BYTES], starter_gguf.stat().st_size - HEADER_BYTES
    found = look({"starter.gguf": content}, padding)
    assert found["architecture"] == server.architecture
    assert found["parameterCount"] == server.parameter_count
    assert found["storedAs"] == server.quantization
    assert found["contextLength"] == server.number(".context_length")
    assert found["cacheBytesAToken"] == server.cache_bytes_a_token
    assert "bytes too early" in look({"starter.gguf": content}, padding - 1000)["refused"]


def test_an_adapter_names_its_base_and_whether_that_is_here(look):
    found = look({"lighthouse.zip": LIGHTHOUSE.read_bytes()})
    assert (found["kind"], found["rank"], found["base"]) == ("adapter", 8, None)
    assert found["baseName"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert "is not here" in found["warnings"][0]


def test_what_training_leaves_beside_a_model_is_not_sent(look, llama):
    extra = {"model/optimizer.pt": b"x", "model/.git/config": b"x", "model/checkpoint-10/config.json": b"{}"}
    found = look(folder_of(llama) | extra)
    assert found["leftOut"] == 3
    assert not any(path in found["sent"] for path in extra)


def refusals(tmp_path: Path):
    """Yield files that are no model, and what is said of them."""
    files = folder_of(write_tiny_model("llama", tmp_path / "one", shard_count=2))
    config = json.loads(files["model/config.json"])

    def without(*names: str) -> dict[str, bytes]:
        return {path: content for path, content in files.items() if not path.endswith(names)}

    def configured(**values) -> dict[str, bytes]:
        return files | {"model/config.json": json.dumps(config | values).encode()}

    shard = "model-00002-of-00002.safetensors"
    yield without(shard), "1 of 2 shards is missing: model-00002"
    yield without(shard, "index.json"), "1 of 2 shards is missing: model-00002"
    yield without("tokenizer.json", "tokenizer.model"), "no tokenizer"
    yield without("config.json"), "no config.json"
    yield configured(architectures=["MambaForCausalLM"]), "cannot convert MambaForCausalLM"
    yield configured(quantization_config={"quant_method": "awq"}), "already quantized with awq"
    cut = next(path for path in files if path.endswith(shard))
    yield files | {cut: files[cut][:-10]}, "10 bytes too early"
    yield files | {cut: b"version https://git-lfs.github.com/spec/v1\nsize 5"}, "Git-LFS pointer"
    yield files | {cut: b"<!doctype html><title>Sign in</title>"}, "is a web page"
    yield {"m/config.json": files["model/config.json"], "m/pytorch_model.bin": b"\x80\x02x"}, "Python pickle"
    yield {"model.onnx": b"onnx"}, "an ONNX file"
    yield {"model.7z": b"7z\xbc\xaf\x27\x1c"}, "a 7z archive"
    yield {"outer.zip": zip_with(("inner.zip", b"PK"))}, "another archive"
    yield {"model.zip": zip_with(*files.items())[:-30]}, "no directory at its end"
    yield {"model.gguf": small_gguf(tmp_path)[:60]}, "broken GGUF"
    packed = write_safetensors(tmp_path / "q", {"a.qweight": ("F32", random_values("a", (2, 2)))}).read_bytes()
    only = {path: content for path, content in files.items() if "safetensors" not in path}
    yield only | {"model/model.safetensors": packed}, "GPTQ or AWQ"
    adapter = {"peft_type": "LOHA", "base_model_name_or_path": "a/b"}
    yield {"a/adapter_config.json": json.dumps(adapter).encode(), "a/adapter_model.safetensors": packed}, "not LoRA"


def test_what_is_no_model_is_refused_with_what_to_do(look, tmp_path):
    for files, words in refusals(tmp_path):
        found = look(files)
        assert words in found.get("refused", ""), (words, found)
        if "web page" not in words:
            assert found["hint"], words


def test_a_server_that_takes_less_or_knows_more_is_asked(look, llama):
    files = folder_of(llama)
    assert "MAX_UPLOAD_BYTES" in look(files, maxUploadBytes=1000)["refused"]
    assert "are free" in look(files, freeBytes=1000)["refused"]
    assert "cannot convert" in look(files, architectures=[])["refused"]
    assert look(files, architectures=[], takesOtherArchitectures=True)["kind"] == "model"


STRANGERS = {case: (name, make) for case, name, make, _ in CASES}


@pytest.mark.parametrize("case", STRANGERS)
def test_no_strangers_file_breaks_the_look(look, tmp_path, case):
    """Whatever it is, there are findings or a refusal; what hides deeper is the server's to find."""
    name, make = STRANGERS[case]
    found = look({name: make(tmp_path)})
    assert found.get("refused") or found["kind"]
