"""Schemathesis against the server's own description of itself: no 500, and no answer off its schema."""

import os

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

BASE, TOKEN, MODEL = (os.environ[name] for name in ("BASE", "TOKEN", "MODEL"))
# A few of each route: every one that is right asks a model.
EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SHORT = {"max_tokens": 1, "max_completion_tokens": 1, "max_output_tokens": 1}

# The original's chat knows no limit of tokens: it would write as long as the model can.
# And an engine that starts anew answers nobody else meanwhile.
LEFT_OUT = ["/api/chat/send", "/api/engine/restart"]
schema = schemathesis.openapi.from_url(f"{BASE}/openapi.json").exclude(path=LEFT_OUT)


@schemathesis.hook
def before_call(context, case, **kwargs):
    """Ask an existing model, for a token at most, whatever else was made up; and guess no tokens, which is stopped."""
    if isinstance(case.body, dict):
        if case.path == "/api/auth/verify":
            case.body["token"] = TOKEN
        if isinstance(case.body.get("model"), str):
            case.body["model"] = MODEL
        case.body.update({name: value for name, value in SHORT.items() if case.body.get(name) is not None})
        if "max_tokens" not in case.body and case.path in ("/v1/chat/completions", "/v1/completions"):
            case.body["max_tokens"] = 1
        if case.path == "/v1/responses":
            case.body.setdefault("max_output_tokens", 1)
        case.body.pop("keep_alive", None)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_server_does_what_it_says(case):
    case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
