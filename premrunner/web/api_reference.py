"""The page that shows the API to people: the same declarations as ``/openapi.json``, in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template
from werkzeug.routing import Rule

from premrunner.web.openapi import described_routes, path_of, summary_of
from premrunner.web.operation import Operation
from premrunner.web.parsing import Parameter

bp = Blueprint("api_reference", __name__)

# The first that fits an address counts.
TOPICS = (
    ("Answers", re.compile(r"/v1/(chat|completions|embeddings|messages|responses)\b")),
    ("Models", re.compile(r"/v1/(models|imports)\b")),
    ("Uploads", re.compile(r"/v1/(chunked-upload|uploads|tus)\b")),
    ("Traces", re.compile(r"/v1/traces\b")),
    ("This server", re.compile(r"/")),
)


@dataclass(frozen=True)
class ShownParameter:
    """A field as the page shows it: its name, what it takes, what it means."""

    name: str
    takes: str
    meaning: str
    is_required: bool


@dataclass(frozen=True)
class ShownRoute:
    """A route as the page shows it."""

    id: str
    verb: str
    path: str
    summary: str
    parameters: list[ShownParameter]


@bp.get("/reference")
def show() -> str:
    """Show the API's description for people."""
    topics: dict[str, list[ShownRoute]] = {title: [] for title, _ in TOPICS}
    for verb, rule, described in described_routes():
        if rule.rule.endswith("/"):
            continue  # The same view, for clients that write their addresses so.
        title = next(title for title, pattern in TOPICS if pattern.match(rule.rule))
        topics[title].append(_route(verb, rule, described))
    return render_template("openapi.html", topics=topics)


def _route(verb: str, rule: Rule, described: Operation) -> ShownRoute:
    path = path_of(rule)
    return ShownRoute(
        id=f"{verb.lower()}{path.replace('/', '-')}",
        verb=verb,
        path=path,
        summary=summary_of(rule),
        parameters=[_parameter(parameter) for parameter in (*described.query, *described.body)],
    )


def _parameter(parameter: Parameter) -> ShownParameter:
    return ShownParameter(parameter.name, takes(parameter.check.schema), parameter.meaning, parameter.is_required)


def takes(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words."""
    if "anyOf" in schema:
        return " or ".join(takes(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(word) for word in schema["enum"])
    if "const" in schema:
        return str(schema["const"]).lower()
    kinds = schema.get("type", "anything")
    kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if "minimum" in schema and schema["maximum"] < 2**31 - 1:
        return f"{kind}, {schema['minimum']} to {schema['maximum']}"
    return kind
