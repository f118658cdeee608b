"""The API's own description (OpenAPI 3.1), made of what the routes say of themselves."""

import re
from collections.abc import Iterator, Mapping
from inspect import cleandoc, getdoc
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from werkzeug.routing import Rule

import premrunner
from premrunner.web.errors import API_PREFIXES
from premrunner.web.json_schema import reference
from premrunner.web.openapi_schemas import SCHEMAS
from premrunner.web.openapi_server_schemas import SERVER_SCHEMAS
from premrunner.web.operation import Operation, operation, operation_of
from premrunner.web.parsing import Parameter

bp = Blueprint("openapi", __name__)

VERSION = "3.1.0"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Its routes answer under both; one description of each is enough.
SECOND_PREFIX = "/api/v1/"
# Routes with documents of their own (uploads, imports) are listed with no more than their sentence.
BRIEFLY = Operation()
PLACE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


@bp.get("/openapi.json")
@operation(answer="OpenApi", is_open=True)
def show_document() -> Response:
    """Show the API's description for programs."""
    return jsonify(document(request.host_url.rstrip("/")))


def document(address: str) -> dict[str, Any]:
    """Return the whole description.

    Args:
        address: Where this server is, as a URL without a path.
    """
    paths: dict[str, dict[str, Any]] = {}
    for verb, rule, described in described_routes():
        paths.setdefault(path_of(rule), {})[verb.lower()] = _operation(verb, rule, described)
    bearer = {"type": "http", "scheme": "bearer", "description": "The access token, or an access key."}
    return {
        "openapi": VERSION,
        "info": {
            "title": "PremRunner",
            "version": premrunner.__version__,
            "summary": "Your own models behind the APIs of OpenAI, Prem and Anthropic.",
            "description": "What stands under /v1 answers under /api/v1 too, where Prem's SDK looks for it.",
        },
        "servers": [{"url": address}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**SCHEMAS, **SERVER_SCHEMAS, "OpenApi": {"type": "object"}},
            "securitySchemes": {"token": bearer},
        },
    }


def described_routes() -> Iterator[tuple[str, Rule, Operation]]:
    """Yield verb, rule and description of every route of the API, by address."""
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: rule.rule):
        described = operation_of(current_app.view_functions[rule.endpoint])
        if described is None and rule.rule.startswith(API_PREFIXES):
            described = BRIEFLY
        if described is None or rule.rule.startswith(SECOND_PREFIX):
            continue
        for verb in VERBS:
            if verb in (rule.methods or ()):
                yield verb, rule, described


def summary_of(rule: Rule) -> str:
    """Return the sentence that a route's view begins with."""
    return cleandoc(getdoc(current_app.view_functions[rule.endpoint]) or "").split("\n")[0]


def path_of(rule: Rule) -> str:
    """Return a route's address with its places as ``{name}``."""
    return PLACE.sub(r"{\1}", rule.rule)


def _operation(verb: str, rule: Rule, described: Operation) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "summary": summary_of(rule),
        "operationId": re.sub(r"\W+", "_", f"{verb.lower()}{rule.rule}").strip("_"),
        "tags": [rule.endpoint.split(".")[0].removesuffix("_v1").removeprefix("v1_")],
        "responses": {**_answer(described), "default": _error_answer()},
    }
    places = [_place(name) for name in sorted(rule.arguments)]
    questions = [_question(parameter) for parameter in described.query]
    if places or questions:
        shown["parameters"] = [*places, *questions]
    if described.body:
        shown["requestBody"] = {
            "required": any(parameter.is_required for parameter in described.body),
            "content": {described.body_type: {"schema": body_schema(described)}},
        }
    if described.is_open:
        shown["security"] = []
    return shown


def _answer(described: Operation) -> dict[str, Any]:
    """Return the good answers by status; of a route that says nothing of itself, only that there are some."""
    if not described.answer:
        return {"2XX": {"description": "The answer."}}
    content = {"application/json": {"schema": reference(described.answer)}}
    content |= {kind: {} for kind in described.files}
    if described.streams:
        content["text/event-stream"] = {"schema": _event(described.streams)}
    return {"200": {"description": "The answer.", "content": content}}


def _event(name: str) -> dict[str, Any]:
    """Return the schema of each event of a stream; the last may be ``[DONE]`` in place of JSON."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": reference(name)}
    return {"type": "object", "properties": {"event": {"type": "string"}, "data": data}, "required": ["data"]}


def _error_answer() -> dict[str, Any]:
    return {
        "description": "What went wrong. `x-should-retry` and `Retry-After` say whether and when to try again.",
        "content": {"application/json": {"schema": reference("Error")}},
        "headers": {"x-request-id": {"schema": {"type": "string"}, "description": "Stands in the log, too."}},
    }


def _place(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _question(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.meaning,
        "schema": parameter.check.schema,
    }


def body_schema(described: Operation) -> Mapping[str, Any]:
    """Return the schema of a body: the fields its route parses; null counts as not given, the unknown is let pass."""
    return {
        "type": "object",
        "properties": {parameter.name: _field(parameter) for parameter in described.body},
        "required": [parameter.name for parameter in described.body if parameter.is_required],
    }


def _field(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.check.schema)
    if schema and not parameter.is_required:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "description": parameter.meaning}
