"""The engine's HTTP surface: who may call, how faults look, and the blueprints."""

import ipaddress
import logging
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from premrunner.builtin.refusals import Refusal
from premrunner.builtin.routes import blobs, embeddings, generation, models
from premrunner.builtin.services import Services, register
from premrunner.errors import Cancelled

logger = logging.getLogger(__name__)

# Images in base64 make large chats; a blob's body is not counted, it is never held in memory.
_JSON_BYTES_MOST = 256 * 1024 * 1024


def create_app(built: Services) -> Flask:
    """Return the WSGI application over these services."""
    app = Flask("premrunner.builtin", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config["MAX_CONTENT_LENGTH"] = _JSON_BYTES_MOST
    cast(DefaultJSONProvider, app.json).sort_keys = False
    register(app.extensions, built)
    app.before_request(_refuse_strangers)
    for module in (models, blobs, generation, embeddings):
        app.register_blueprint(module.bp)
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(Cancelled, _cancelled)
    app.register_error_handler(HTTPException, _http_fault)
    app.register_error_handler(Exception, _fault)
    return app


def is_local_name(host: str | None) -> bool:
    """Tell whether a host name means this machine's loopback, whatever a name server might say."""
    if host is None:
        return False
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse_strangers() -> Response | None:
    """Refuse pages of other sites, also those whose name was pointed at this machine (DNS rebinding)."""
    origin = request.headers.get("Origin")
    try:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
        is_friend = is_local_name(host) and (origin is None or is_local_name(urlsplit(origin).hostname))
    except ValueError:  # An address in brackets that is none.
        is_friend = False
    return None if is_friend else Response(status=403)


def _error(message: str, status: int) -> tuple[dict[str, str], int]:
    return {"error": message}, status


def _refused(refusal: Refusal) -> tuple[dict[str, str], int]:
    return _error(refusal.message, refusal.status)


def _cancelled(_: Cancelled) -> tuple[dict[str, str], int]:
    return _error("request canceled", 499)


def _http_fault(fault: HTTPException) -> Response | tuple[dict[str, str], int]:
    if isinstance(fault, NotFound):
        return Response("404 page not found", 404, content_type="text/plain")
    if isinstance(fault, MethodNotAllowed):
        answer = Response("405 method not allowed", 405, content_type="text/plain")
        answer.headers["Allow"] = ", ".join(sorted(fault.valid_methods or ()))
        return answer
    return _error(fault.description or fault.name, fault.code or 500)


def _fault(error: Exception) -> tuple[dict[str, str], int]:
    logger.error("A request failed", exc_info=error, extra={"path": request.path})
    return _error("internal error; the engine's log tells more", 500)
