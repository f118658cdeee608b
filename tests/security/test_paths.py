"""No address, id or name leads out of the data folder."""

import re

import pytest

CLIMBING = [
    "..%2F..%2Fetc%2Fpasswd",
    "../../etc/passwd",
    "%2Fetc%2Fpasswd",
    "..",
    "%00",
    "a%00b",
    "C:%5Cx",
    "~root",
    ".",
]


@pytest.fixture
def addresses(app) -> list[tuple[str, str]]:
    """Every route with a part that the caller chooses."""
    return [
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"OPTIONS", "HEAD"}
        if rule.arguments
    ]


@pytest.mark.parametrize("climbing", CLIMBING)
def test_no_part_of_an_address_climbs_out(api, addresses, settings, climbing):
    outside = settings.data_path.parent / "outside"
    outside.write_text("a secret")
    for method, rule in addresses:
        path = re.sub(r"<[^>]+>", climbing, rule)
        answer = api.open(path, method=method, json={}, headers={"Accept": "application/json"})
        assert answer.status_code != 500, (method, path, answer.text)
        assert "root:" not in answer.text, (method, path)
    assert outside.read_text() == "a secret"
    assert sorted(path.name for path in settings.data_path.parent.iterdir()) == ["data", "outside"]


@pytest.mark.parametrize("name", ["../x.gguf", "/etc/x.gguf", "a/../../x.gguf", "..\\x.gguf", "a\nb.gguf"])
def test_no_name_of_an_upload_becomes_a_path(api, name):
    answer = api.post("/v1/chunked-upload/start", json={"fileName": name, "fileSize": 1, "modelName": "x"})
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/etc/passwd", "../../token", "file:///etc/passwd", "http://127.0.0.1/"])
def test_the_path_of_an_import_is_a_handle_and_no_path(api, path):
    upload = api.post("/v1/chunked-upload/start", json={"fileName": "x.gguf", "fileSize": 1, "modelName": "x"}).json
    wish = {"modelId": upload["modelId"], "modelName": "x", "filePath": path}
    assert api.post("/v1/models/import", json=wish).status_code in (400, 403, 409)


def test_the_secrets_of_the_data_folder_are_served_nowhere(api, settings):
    for name in ("token", "session.key", "premrunner.db", "jobs.db", "run/engine.json"):
        for prefix in ("/", "/static/", "/static/../", "/v1/models/", "/assets/"):
            answer = api.get(prefix + name)
            assert answer.status_code in (301, 302, 308, 400, 404, 503), prefix + name
