"""Is it there, is its engine there, is this token right."""

import dataclasses
from typing import Any

from flask import Blueprint, Response, jsonify, request

import premrunner
from premrunner.web.auth import check_token
from premrunner.web.operation import operation
from premrunner.web.parsing import Check, Parameter, json_object
from premrunner.web.services import services

bp = Blueprint("status", __name__)

TOKEN = (Parameter("token", Check[Any](lambda _, value: value, {"type": "string"}), meaning="The token to try."),)


@bp.get("/api/hello")
@operation(answer="Hello")
def hello() -> Response:
    """Say hello, as the original does."""
    return jsonify(message="Hello from PremRunner!", version=premrunner.__version__)


@bp.get("/health")
@bp.get("/api/health")
@operation(answer="Health", is_open=True)
def health() -> Response:
    """Tell that this process answers; needs no token and shows nothing."""
    return jsonify(status="ok")


@bp.get("/api/ollama/status")
@operation(answer="EngineStatus")
def engine_status() -> Response:
    """Tell whether the engine runs, which one, and why not."""
    report = services().engine.report()
    return jsonify(
        status=report.status,
        state=report.state,
        engine=report.engine,
        version=report.version,
        address=report.address,
        loadedModels=[dataclasses.asdict(model) for model in report.loaded],
        why=report.why,
    )


@bp.post("/api/auth/verify")
@operation(TOKEN, answer="Success", is_open=True)
def verify_token() -> Response:
    """Tell whether a token is right; wrong ones are counted."""
    token = json_object(request).get("token")
    check_token(token if isinstance(token, str) else "")
    return jsonify(success=True)
