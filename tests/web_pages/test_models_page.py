"""The page of models."""

import pytest

from premrunner.domain.uploads import UploadWish
from premrunner.events import ImportOptions
from premrunner.extensions import db
from premrunner.records import UploadFile, new_id
from premrunner.storage.database import Database
from premrunner.storage.import_store import ImportStore
from premrunner.storage.model_store import ModelStore

from .reading import Page

NASTY = '"><script>alert(1)</script>{{7*7}}'


@pytest.fixture
def add_model(app):
    def add(name: str, alias: str) -> None:
        with app.app_context():
            ModelStore(Database(db.engine)).add(name, alias, 98_200_000)

    return add


def test_an_empty_page_tells_why_and_teaches(visitor):
    text = visitor.get("/models").text
    for shown in ("The engine is not running", "Drop your model here", "save_pretrained", "llamafactory-cli"):
        assert shown in text


def test_what_is_on_its_way_can_be_read_without_scripts(visitor, services):
    services.uploads.start(UploadWish("Half way", [UploadFile("half.gguf", 4_000_000)], chunk_bytes=1_000_000))
    page = Page(visitor.get("/models").text)
    assert "Half way" in page.text
    assert [item["data-status"] for item in page.find("li") if "data-id" in item] == ["uploading"]


def test_a_failed_import_says_why_and_is_no_card(visitor, services, app, add_model):
    with app.app_context():
        store = ImportStore(Database(db.engine))
        record = store.queue(new_id(), "Broken", ImportOptions())
        store.end(record.id, "failed", error="It is a web page.", hint="Download it again.")
        ModelStore(Database(db.engine)).reserve(record.id, "Broken", lambda _: "broken")
    page = Page(visitor.get("/models").text)
    assert "It is a web page." in page.text
    assert "Download it again." in page.text
    assert "On this machine" not in page.text


def test_nobodys_page_is_not_found(visitor):
    assert visitor.get("/models/nobody").status_code == 404


def test_a_model_shows_its_names_and_size(visitor, add_model):
    add_model("My bot", "my-bot")
    text = Page(visitor.get("/models").text).text
    for shown in ("My bot", "my-bot", "98 MB", "Not ready", "On this machine"):
        assert shown in text


def test_the_examples_call_this_model_on_this_server(api, add_model):
    add_model("My bot", "my-bot")
    text = Page(api.get("/models/my-bot", base_url="http://box.local:3001").text).text
    assert "curl http://box.local:3001/v1/chat/completions" in text
    assert 'OpenAI(base_url="http://box.local:3001/v1"' in text
    assert 'PremAI(base_url="http://box.local:3001"' in text
    assert text.count('"my-bot"') == 3


@pytest.mark.parametrize("path", ["/chat/models", "/models", "/models/nasty"])
def test_a_name_is_never_markup(visitor, add_model, path):
    add_model(NASTY, "nasty")
    page = Page(visitor.get(path).text)
    assert page.is_inert
    assert NASTY in page.text


def test_the_server_says_what_it_takes(api):
    terms = api.get("/api/import-options").json
    assert "LlamaForCausalLM" in terms["architectures"]
    bytes_of = {output["name"]: output["weightBytes"] for output in terms["outputTypes"]}
    assert bytes_of["f16"] == 2
    assert 0.5 < bytes_of["q4_0"] < bytes_of["q4_k_m"] < bytes_of["q5_k_m"] < bytes_of["q6_k"] < bytes_of["q8_0"] < 1.1
    assert terms["freeBytes"] > 0
    assert terms["memoryBytes"] >= terms["freeMemoryBytes"] > 0
    assert terms["ggufTensorTypes"]["12"] == ["Q4_K", 256, 144]


def test_a_base_in_the_data_folder_is_found_by_any_of_its_names(api, settings):
    folder = settings.data_path / "bases" / "HuggingFaceTB--SmolLM2-135M"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(8))
    for name in ("HuggingFaceTB/SmolLM2-135M", "unsloth/SmolLM2-135M-bnb-4bit", "/home/me/SmolLM2-135M"):
        found = api.get("/api/import-options", query_string={"base": name}).json["base"]
        assert found is not None, name
        assert found["id"] == "HuggingFaceTB--SmolLM2-135M", name
    assert api.get("/api/import-options?base=meta-llama/Llama-3.2-1B").json["base"] is None
