"""Errors on the wire: one table from type to status, one shape (OpenAI's) for every client."""

import http
import logging
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from premrunner import errors

logger = logging.getLogger(__name__)

API_PREFIXES = ("/v1/", "/api/", "/ws/", "/metrics")

# nginx's number for a client that closed its request; nobody is there to read it, but the log is.
CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True)
class Face:
    """How a kind of error looks to a client.

    Attributes:
        status: HTTP status.
        kind: OpenAI's ``error.type``.
        code: OpenAI's ``error.code``.
        is_permanent: Whether clients must not try again by themselves, as they do after any 5xx.
        retry_after_seconds: When to try again, for errors that do not know it better.
    """

    status: int
    kind: str
    code: str | None = None
    is_permanent: bool = False
    retry_after_seconds: int | None = None


# The first that fits counts, so a class stands before those it derives from.
FACES: tuple[tuple[type[Exception], Face], ...] = (
    (errors.UploadTooLarge, Face(413, "invalid_request_error")),
    (errors.InvalidRequest, Face(400, "invalid_request_error")),
    (errors.ModelNotFound, Face(404, "invalid_request_error", "model_not_found")),
    (errors.NotFound, Face(404, "invalid_request_error", "not_found")),
    (errors.Unauthorized, Face(401, "authentication_error", "invalid_api_key")),
    (errors.Forbidden, Face(403, "permission_error", "forbidden")),
    # The kinds are OpenAI's. A day's end is hours away, and no client shall try until then.
    (errors.RequestLimitReached, Face(429, "requests", "rate_limit_exceeded")),
    (errors.TokenLimitReached, Face(429, "tokens", "rate_limit_exceeded", is_permanent=True)),
    (errors.TooManyAttempts, Face(429, "rate_limit_error", "rate_limit_exceeded")),
    (errors.Overloaded, Face(503, "overloaded_error", "overloaded")),
    (errors.Cancelled, Face(CLIENT_CLOSED_REQUEST, "api_error", "cancelled")),
    (errors.UploadIncomplete, Face(409, "invalid_request_error", "upload_incomplete", is_permanent=True)),
    (errors.UploadConflict, Face(409, "invalid_request_error", "upload_conflict", is_permanent=True)),
    (errors.ImportConflict, Face(409, "invalid_request_error", "import_conflict", is_permanent=True)),
    (errors.ConversationConflict, Face(409, "invalid_request_error", "conversation_conflict", is_permanent=True)),
    (errors.UploadStalled, Face(408, "invalid_request_error", "upload_stalled")),
    (errors.DiskFull, Face(507, "api_error", "disk_full", is_permanent=True)),
    (errors.ServerEnding, Face(503, "api_error", "server_ending")),
    (errors.StorageFailed, Face(500, "api_error", "storage_failed", is_permanent=True)),
    (errors.EngineNotReady, Face(503, "api_error", "engine_not_ready")),
    (errors.EngineNotOurs, Face(409, "invalid_request_error", "engine_not_ours", is_permanent=True)),
    (errors.EngineRefused, Face(500, "api_error", "engine_error", is_permanent=True)),
    (errors.EngineLost, Face(502, "api_error", "engine_lost", retry_after_seconds=2)),
    (errors.EngineBroken, Face(502, "api_error", "engine_broken", retry_after_seconds=2)),
)
MISTAKE = Face(500, "api_error", "internal_error", is_permanent=True)
MISTAKE_MESSAGE = "PremRunner made a mistake. Its log has the details under this request's id."

# What the engine refuses because of the request, whatever 4xx it says it with.
REFUSED = Face(400, "invalid_request_error", "engine_refused")
ENGINE_BUSY = Face(503, "overloaded_error", "overloaded", retry_after_seconds=5)


def face_of(error: BaseException) -> Face:
    """Return how an error looks to a client."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        kind = "invalid_request_error" if status < http.HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
        return Face(status, kind, (error.name or "").lower().replace(" ", "_"))
    if isinstance(error, errors.EngineRefused):
        if error.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            return ENGINE_BUSY
        # 501 is Ollama's way to say that a model cannot do this: no use in trying again.
        if 400 <= error.status < 500 or error.status == http.HTTPStatus.NOT_IMPLEMENTED:
            return REFUSED
    return next((face for kind, face in FACES if isinstance(error, kind)), MISTAKE)


def error_body(error: BaseException) -> dict[str, Any]:
    """Return an error in OpenAI's shape; nothing of an unforeseen one's text is shown."""
    face = face_of(error)
    return {
        "error": {
            "message": _message(error),
            "type": face.kind,
            "param": getattr(error, "param", None),
            "code": getattr(error, "code", None) if isinstance(error, errors.InvalidRequest) else face.code,
        }
    }


def _message(error: BaseException) -> str:
    if isinstance(error, errors.PremRunnerError):
        return error.message
    if isinstance(error, HTTPException):
        return _http_message(error)
    return MISTAKE_MESSAGE


def _page_message(error: BaseException) -> str:
    """Return what a person reads, who knows addresses but no methods."""
    if isinstance(error, HTTPException) and error.code == http.HTTPStatus.NOT_FOUND:
        return f"There is no page at {request.path}."
    return _message(error)


def _http_message(error: HTTPException) -> str:
    if error.code == http.HTTPStatus.NOT_FOUND:
        return f"There is no {request.method} {request.path}."
    if error.code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(set(getattr(error, "valid_methods", None) or ()) - {"HEAD", "OPTIONS"}))
        return f"{request.path} does not take {request.method}; it takes {allowed}."
    if error.code == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return f"The request is larger than {current_app.config['MAX_CONTENT_LENGTH']} bytes."
    return error.description or error.name


def answer_error(error: Exception) -> Response:
    """Answer with an error: JSON for programs, a page for people."""
    face = face_of(error)
    if face is MISTAKE:
        logger.exception("A request failed.", extra={"request_id": g.get("request_id")})
    if request.path.startswith(API_PREFIXES) or request.accept_mimetypes.best == "application/json":
        response = jsonify(error_body(error))
    else:
        response = Response(render_template("error.html", message=_page_message(error), status=face.status))
    response.status_code = face.status
    if isinstance(error, HTTPException):
        response.headers.extend(
            (name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After")
        )
    retry_after = getattr(error, "retry_after_seconds", face.retry_after_seconds)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if face.is_permanent:
        response.headers["x-should-retry"] = "false"
    if face.status == http.HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def register_errors(app: Flask) -> None:
    """Answer every error of the app, foreseen or not."""
    app.register_error_handler(Exception, answer_error)
