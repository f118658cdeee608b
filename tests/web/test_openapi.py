"""The API's description holds every route and every field that there is."""

import re

import pytest

from premrunner.web.api_reference import takes
from premrunner.web.wire.openai_request import PARAMETERS


@pytest.fixture
def document(client) -> dict:
    return client.get("/openapi.json").json


def test_it_is_there_for_everybody_and_says_where_it_is(document):
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "http://localhost"}]
    assert {"token": []} in document["security"]


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages"),
        *("/v1/models", "/v1/models/{model_id}", "/v1/models/running", "/v1/models/up", "/v1/models/down"),
        *("/v1/traces", "/v1/traces/{trace_id}", "/api/keys", "/api/keys/{key_id}", "/health", "/v1/models/"),
    ],
)
def test_it_holds_the_route(document, path):
    for operation in document["paths"][path].values():
        assert operation["summary"].endswith((".", ";"))
        assert set(operation["responses"]) in ({"200", "default"}, {"2XX", "default"})


def test_it_holds_every_route_of_the_api(app, document):
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/v1/", "/api/")) and not rule.rule.startswith("/api/v1/"):
            verbs = {verb.lower() for verb in rule.methods - {"HEAD", "OPTIONS"}}
            assert verbs <= set(document["paths"][re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)]), rule


def test_the_fields_are_those_that_the_route_parses(document):
    [media] = document["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"].values()
    assert list(media["schema"]["properties"]) == [parameter.name for parameter in PARAMETERS]
    assert media["schema"]["required"] == ["model", "messages"]
    assert {"type": "null"} in media["schema"]["properties"]["temperature"]["anyOf"]


def test_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            found = [value["$ref"]] if "$ref" in value else []
            return found + [one for inner in value.values() for one in references(inner)]
        return [one for inner in value for one in references(inner)] if isinstance(value, list) else []

    names = set(document["components"]["schemas"])
    assert {reference.rsplit("/", 1)[-1] for reference in references(document)} <= names


def test_the_page_shows_the_same_to_people(api):
    page = api.get("/reference")
    assert page.mimetype == "text/html"
    assert 'id="post-v1-chat-completions"' in page.text
    assert "<code>text</code>, <code>json_object</code>, or <code>json_schema</code> with a schema." in page.text
    assert "`" not in page.text
    assert all(f"<code>{parameter.name}</code>" in page.text for parameter in PARAMETERS)


def test_the_page_is_for_those_who_are_logged_in(client):
    assert client.get("/reference").status_code == 302


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "number", "minimum": 0, "maximum": 2}, "number, 0 to 2"),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, "string or array"),
        ({"enum": ["a", "b"]}, "a, b"),
        ({"const": False}, "false"),
        ({"type": ["string", "null"]}, "string or null"),
        ({}, "anything"),
    ],
)
def test_a_schema_in_words(schema, words):
    assert takes(schema) == words
