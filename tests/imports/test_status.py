"""What the original's clients read of an import stays as it was; what is new stands beside it."""

import pytest

from .large_files import sparse_gguf
from .recorded_ollama import RecordedOllama

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
ORIGINAL = {"id": str, "name": str, "alias": str, "imported": bool, "status": str}


@pytest.fixture
def model(tmp_path):
    return sparse_gguf(tmp_path / "model.gguf", 1024 * 1024, tokenizer__chat_template=CHATML)


def status(api, import_id: str) -> dict:
    return api.get(f"/v1/models/{import_id}/status").json


def fits(value, schema: dict, schemas: dict) -> bool:
    """Tell whether a value is what the API's document says."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas)
    if "anyOf" in schema:
        return any(fits(value, one, schemas) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
    kind = schema.get("type")
    if kind == "null":
        return value is None
    if kind and not isinstance(value, kinds[kind]):
        return False
    if kind == "array":
        return all(fits(one, schema["items"], schemas) for one in value)
    if kind != "object":
        return True
    known = schema.get("properties", {})
    return set(schema.get("required", ())) <= set(value) and all(
        fits(value[name], known[name], schemas) for name in known if name in value
    )


def test_the_originals_fields_are_there_at_every_moment_and_the_document_tells_all(api, workshop, model):
    schemas = api.get("/openapi.json").json["components"]["schemas"]
    workshop.ollama.refuses["/api/chat"] = (500, '{"error":"no"}')
    import_id = workshop.bring({"model.gguf": model}, "My Model!")
    seen = [status(api, import_id)]
    workshop.work(import_id)
    seen.append(status(api, import_id))
    workshop.ollama.refuses.clear()
    api.post(f"/v1/models/{import_id}/retry")
    api.post(f"/v1/models/{import_id}/cancel")
    seen.append(status(api, import_id))
    api.post(f"/v1/models/{import_id}/retry")
    workshop.work(import_id)
    seen.append(status(api, import_id))
    assert [one["status"] for one in seen] == ["queued", "failed", "cancelled", "ready"]
    assert [one["imported"] for one in seen] == [False, False, False, True]
    for one in seen:
        assert {name: type(one[name]) for name in ORIGINAL} == ORIGINAL
        assert (one["id"], one["name"], one["alias"]) == (import_id, "My Model!", "my-model-")
        assert fits(one, schemas["ModelStatus"], schemas)
        assert set(one) <= set(schemas["ModelStatus"]["properties"])
    assert seen[1]["error"] == {"message": seen[1]["error"]["message"], "hint": seen[1]["error"]["hint"]}
    assert fits(api.get("/v1/imports").json, schemas["Imports"], schemas)
    changed = api.patch(f"/v1/models/{import_id}", json={"name": "Sea", "contextLength": 512})
    assert fits(changed.json, schemas["OwnModel"], schemas)
    assert fits(api.post(f"/v1/models/{import_id}/copy", json={"name": "Lake"}).json, schemas["OwnModel"], schemas)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("system", 1),
        ("system", "x" * 100_001),
        ("template", ["{{ messages }}"]),
        ("parameters", "hot"),
        ("contextLength", 0),
        ("contextLength", "4096"),
        ("outputType", "q9_9"),
        ("base", {}),
    ],
)
def test_a_wrong_option_is_named_and_changes_nothing(api, workshop, model, field, value):
    workshop.ollama.refuses["/api/chat"] = (500, '{"error":"no"}')
    import_id = workshop.bring({"model.gguf": model}, "Optional")
    workshop.work(import_id)
    answer = api.post(f"/v1/models/{import_id}/retry", json={field: value})
    assert (answer.status_code, answer.json["error"]["param"]) == (400, field)
    assert status(api, import_id)["status"] == "failed"


def test_a_file_that_is_a_model_already_is_said_to_be_one(api, workshop, model):
    import_id = workshop.bring({"model.gguf": model}, "Here")
    workshop.work(import_id)
    assert status(api, import_id)["status"] == "ready"
    wish = {
        "fileName": "again.gguf",
        "fileSize": model.stat().st_size,
        "chunkSize": model.stat().st_size,
        "modelName": "Again",
        "sha256": status(api, import_id)["found"]["uploadSha256"],
    }
    answer = api.post("/v1/chunked-upload/start", json=wish).json
    # Its bytes are gone, so another import needs them again; but whoever wants the model has it.
    assert (answer["alreadyHere"], answer["message"]) == (False, "Ready for chunks")
    assert answer["sameModels"] == [{"id": import_id, "name": "Here", "alias": "here"}]
    # Who cannot name a digest hears it when the bytes have come.
    late = api.post("/v1/chunked-upload/start", json=wish | {"sha256": None}).json
    assert late["sameModels"] == []
    api.put(f"/v1/chunked-upload/{late['modelId']}/chunks/0", data=model.read_bytes())
    done = api.post("/v1/chunked-upload/complete", json={"modelId": late["modelId"]}).json
    assert done["sameModels"] == answer["sameModels"]
    other = api.post("/v1/chunked-upload/start", json=wish | {"sha256": "1" * 64}).json
    assert other["sameModels"] == []
    workshop.services.model_changes.delete(import_id)
    assert api.post("/v1/chunked-upload/start", json=wish).json["sameModels"] == []


def test_the_list_follows_an_engine_that_was_changed_behind_our_back(api, workshop, model):
    import_id = workshop.bring({"model.gguf": model}, "Ours")
    workshop.work(import_id)
    catalog = workshop.services.catalog

    def listed() -> dict[str, str]:
        catalog.forget()
        return {one["id"]: one["owned_by"] for one in api.get("/v1/models").json["data"]}

    ollama: RecordedOllama = workshop.ollama
    assert listed() == {"ours": "user"}
    ollama.models["theirs:latest"] = {}
    assert listed() == {"ours": "user", "theirs": "engine"}
    gone = ollama.models.pop("ours:latest")
    assert listed() == {"theirs": "engine"}
    assert (status(api, import_id)["status"], status(api, import_id)["imported"]) == ("failed", False)
    assert "deleted it there" in status(api, import_id)["error"]["message"]
    ollama.models["ours:latest"] = gone
    assert listed() == {"ours": "user", "theirs": "engine"}
    assert status(api, import_id)["status"] == "ready"
    assert api.delete("/v1/models/theirs").status_code == 403
    assert "theirs:latest" in ollama.models
    assert api.delete("/v1/models/theirs?foreign=true").status_code == 200
    assert "theirs:latest" not in ollama.models
