import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from premrunner.domain.chat import ChatCall
from premrunner.domain.spoken import searchable
from premrunner.records import Caller, ChatRequest, TraceFinished, Usage, new_id
from premrunner.web.services import Services

MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]


def csrf_token(page: str) -> str:
    """Return what a page of ours sends with its requests."""
    return re.search(r'name="csrf-token" content="([^"]+)"', page)[1]


@pytest.fixture
def visitor(client: FlaskClient, token: str) -> FlaskClient:
    """A browser that has logged in."""
    client.get(f"/login?token={token}")
    return client


@pytest.fixture
def services(app: Flask) -> Services:
    return app.extensions["premrunner"]


@pytest.fixture
def record(services: Services):
    """Record a call that is over and return its id."""

    def record_call(messages=MESSAGES, *, model="a-model", parameters=None, ignored=(), **finished) -> str:
        trace_id = new_id()
        call = ChatCall(ChatRequest(model, messages), messages, parameters or {"model": model}, ignored)
        services.tracing.begin(call, Caller(trace_id, "/v1/chat/completions", "curl/8"))
        ending = {"status": "ok", "output": "Paris.", "usage": Usage(12, 3, 250.0, 40.0, 60.0), "duration_ms": 400.0}
        ending |= {"said": searchable(messages, "")}
        services.tracing.finish(TraceFinished(trace_id, **(ending | finished)))
        return trace_id

    return record_call
